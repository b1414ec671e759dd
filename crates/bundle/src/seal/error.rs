//! Why a bundle could not be sealed.

use std::io;
use std::path::PathBuf;

use dogwatch_core::canonical::CanonicalError;
use dogwatch_core::ids::RunId;
use dogwatch_core::journal::JournalFinding;

use crate::keys::KeyError;
use crate::verify::Finding;

/// Why a bundle could not be sealed. Whatever it is, the bundle is not reported as valid.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file system said no.
    #[error("{doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something stands in the bundle that evidence cannot be.
    #[error("bundle holds {what} at {path:?}, which cannot be sealed")]
    Foreign {
        /// Its path inside the bundle.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A file every bundle has is not there.
    #[error("bundle has no {0}")]
    Missing(&'static str),
    /// A stored file is not the one the run was held to.
    #[error("{0} is not the one this run was started with")]
    WrongContent(&'static str),
    /// The journal is still being written.
    #[error("journal is still open for writing")]
    JournalInUse,
    /// The journal does not read clean.
    #[error("journal is damaged at record {}: {} ({})", .0.seq, .0.detail, .0.code)]
    Journal(JournalFinding),
    /// The journal or the manifest is larger than a verifier reads.
    #[error("{what} is {bytes} bytes, more than the {limit} a verifier reads")]
    TooLarge {
        /// Which of them.
        what: &'static str,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        limit: u64,
    },
    /// The journal does not end with the end of the run.
    #[error("the last journal record is not the end of the run")]
    NoOutcome,
    /// The journal says something else than the caller.
    #[error("the last journal record has another {0} than the manifest would")]
    OutcomeDiffers(&'static str),
    /// The bundle is sealed, for another run.
    #[error("bundle is the sealed one of {found}, not of {wanted}")]
    OtherRun {
        /// The run it belongs to.
        found: RunId,
        /// The run that was asked for.
        wanted: RunId,
    },
    /// The bundle is sealed, but does not verify with this key.
    #[error("bundle is sealed and does not verify: {}: {} ({})", .0.path, .0.detail, .0.code)]
    Invalid(Finding),
    /// The facts have no canonical form.
    #[error("manifest has no canonical form")]
    Canonical(#[source] CanonicalError),
    /// The signing key cannot be used.
    #[error("signing key cannot be used")]
    Key(#[source] KeyError),
}
