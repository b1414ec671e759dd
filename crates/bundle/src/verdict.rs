//! Verdicts: what somebody decided about a sealed bundle, each a signed statement of its own.
//!
//! A verdict comes after the seal and is not covered by it. It is bound to the bundle by the digest of the manifest, and its file is named
//! after its kind and its own digest, so that it cannot be replaced unseen; that one was taken away cannot be seen. There may be any number
//! of them, and none is ever changed.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use dogwatch_core::canonical::{self, CanonicalError};
use dogwatch_core::{Sha256Digest, Timestamp};

use crate::attestation::{STATEMENT_TYPE, Statement, Subject, VERDICT_TYPE_PREFIX};
use crate::digest::read_capped;
use crate::dsse::sign_envelope;
use crate::durable::{remove_if_present, sync_directory, write_new};
use crate::layout::{ATTESTATION, BundleLayout, MANIFEST, VERDICT_SUFFIX};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::walk::{BundleDir, Found};

/// The longest text of a verdict.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// Which way it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// The result was taken into the user's repository.
    Promote,
    /// The result is not wanted.
    Reject,
}

impl VerdictKind {
    /// As it stands in file names and statement types.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Reject => "reject",
        }
    }

    fn predicate_type(self) -> String {
        format!("{VERDICT_TYPE_PREFIX}{}/v1", self.as_str())
    }
}

/// Where a result landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandedAt {
    /// The branch, in full.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The commit.
    pub commit: String,
}

/// What a verdict says about its bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictPredicate {
    /// Which way it went; the type of the statement says the same.
    pub kind: VerdictKind,
    /// Who decided.
    pub by: String,
    /// Why, if they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Where the result landed, for a promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landed: Option<LandedAt>,
}

/// A verdict about a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The digest of the bundle's manifest.
    pub manifest: Sha256Digest,
    /// What it says.
    pub predicate: VerdictPredicate,
}

/// A verdict that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    /// The bundle is not sealed, so there is nothing to judge yet.
    #[error("judge {}: it is not sealed", path.display())]
    Unsealed {
        /// The bundle.
        path: PathBuf,
    },
    /// The verdict is about another bundle.
    #[error("judge {}: its manifest is {found} and the verdict is about {expected}", path.display())]
    OtherManifest {
        /// The bundle.
        path: PathBuf,
        /// The digest of its manifest.
        found: Sha256Digest,
        /// What the verdict names.
        expected: Sha256Digest,
    },
    /// A text that is too long, or a promotion or rejection that says what only the other does.
    #[error("write the verdict: {detail}")]
    Form {
        /// What is wrong.
        detail: &'static str,
    },
    /// The statement has no canonical form.
    #[error("write the verdict")]
    Canonical(#[source] CanonicalError),
    /// The file system said no.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn io_error<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> VerdictError + 'a {
    move |source| VerdictError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

impl Verdict {
    fn statement(&self) -> Statement<VerdictPredicate> {
        Statement {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject::manifest(self.manifest)],
            predicate_type: self.predicate.kind.predicate_type(),
            predicate: self.predicate.clone(),
        }
    }

    /// Reads a signed statement. The text says what is wrong with it.
    pub(crate) fn from_payload(payload: &[u8], manifest: Sha256Digest) -> Result<Self, String> {
        let statement: Statement<VerdictPredicate> =
            serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        if canonical::to_bytes(&statement).ok().as_deref() != Some(payload) {
            return Err("the statement is not in its canonical form".to_owned());
        }
        if statement.subject != [Subject::manifest(manifest)] {
            return Err("the verdict is about another manifest".to_owned());
        }
        let verdict = Self {
            manifest,
            predicate: statement.predicate.clone(),
        };
        if statement != verdict.statement() {
            return Err("the statement is not a verdict of its kind".to_owned());
        }
        match verdict.fault() {
            None => Ok(verdict),
            Some(fault) => Err(fault.to_owned()),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        let VerdictPredicate {
            kind,
            by,
            reason,
            landed,
            ..
        } = &self.predicate;
        let texts = [Some(by), reason.as_ref()];
        if by.is_empty() {
            Some("nobody is named who decided")
        } else if texts
            .iter()
            .flatten()
            .any(|text| text.len() > MAX_TEXT_BYTES)
        {
            Some("a text is too long")
        } else if (*kind == VerdictKind::Promote) != landed.is_some() {
            Some("a promotion says where it landed, and nothing else does")
        } else {
            None
        }
    }
}

/// The name of a verdict's file.
pub(crate) fn file_name(kind: VerdictKind, file: &[u8]) -> String {
    format!(
        "{}-{}{VERDICT_SUFFIX}",
        kind.as_str(),
        Sha256Digest::of(file)
    )
}

/// Signs a verdict and puts it beside the sealed bundle at `dir`. The same verdict again changes nothing. Returns where it is.
pub fn write_verdict(
    dir: &Path,
    verdict: &Verdict,
    key: &SigningKey,
) -> Result<PathBuf, VerdictError> {
    if let Some(detail) = verdict.fault() {
        return Err(VerdictError::Form { detail });
    }
    check_manifest(dir, verdict.manifest)?;
    let payload = canonical::to_bytes(&verdict.statement()).map_err(VerdictError::Canonical)?;
    let file = sign_envelope(&payload, &[key]).map_err(VerdictError::Canonical)?;
    let layout = BundleLayout::new(dir);
    for place in [layout.verdicts(), layout.reports()] {
        match DirBuilder::new().mode(0o755).create(&place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io_error("create", &place)(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let path = layout
        .verdicts()
        .join(file_name(verdict.predicate.kind, &file));
    // Where a crash leaves it, nobody looks.
    let draft = layout
        .reports()
        .join(format!(".verdict-{}.draft", std::process::id()));
    remove_if_present(&draft).map_err(io_error("remove", &draft))?;
    write_new(&draft, &file, 0o644).map_err(io_error("write", &draft))?;
    match fs::hard_link(&draft, &path) {
        // Its name is its digest, so what is there is this verdict.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(io_error("write", &path))?,
    }
    remove_if_present(&draft).map_err(io_error("remove", &draft))?;
    for place in [&layout.verdicts(), dir] {
        sync_directory(place).map_err(io_error("sync", place))?;
    }
    Ok(path)
}

fn check_manifest(dir: &Path, expected: Sha256Digest) -> Result<(), VerdictError> {
    let bundle = BundleDir::open(dir).map_err(io_error("open", dir))?;
    let unsealed = || VerdictError::Unsealed {
        path: dir.to_owned(),
    };
    let (Some(Found::File(manifest)), Some(Found::File(_))) =
        (bundle.root_file(MANIFEST), bundle.root_file(ATTESTATION))
    else {
        return Err(unsealed());
    };
    let bytes = read_capped(&manifest, MAX_MANIFEST_BYTES)
        .map_err(io_error("read", dir))?
        .ok_or_else(unsealed)?;
    let found = Sha256Digest::of(&bytes);
    if found == expected {
        return Ok(());
    }
    Err(VerdictError::OtherManifest {
        path: dir.to_owned(),
        found,
        expected,
    })
}
