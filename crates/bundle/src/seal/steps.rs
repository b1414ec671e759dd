//! The steps of sealing, in the order that survives a crash.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use ed25519_dalek::SigningKey;

use dogwatch_core::{Sha256Digest, canonical};

use super::collect::{io_error, remove_empty_directories, take_stock};
use super::error::SealError;
use crate::attestation::Statement;
use crate::dsse::sign_envelope;
use crate::durable::{remove_if_present, sync_directory, write_new};
use crate::keys::{TrustedKey, keyid};
use crate::layout::{ATTESTATION, ATTESTATION_DRAFT, BundleLayout, JOURNAL, MANIFEST_DRAFT};
use crate::manifest::{MAX_MANIFEST_BYTES, Manifest, ManifestFacts};
use crate::verify::verify;
use crate::walk::{BundleDir, Found};

/// A sealed bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// The digest of `manifest.json`: the name of the evidence from here on.
    pub manifest_digest: Sha256Digest,
    /// The id of the key that signed.
    pub keyid: String,
    /// The manifest.
    pub manifest: Manifest,
    /// It had been sealed before and was left as it was.
    pub was_sealed: bool,
}

/// Where a crash is simulated: the work up to here is done, nothing after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Cleared,
    StockTaken,
    ManifestDrafted,
    ManifestInPlace,
    AttestationDrafted,
    AttestationInPlace,
}

/// Seals the bundle at `dir`: digests every file, writes the manifest and signs it.
///
/// The journal's writer must have been dropped and its last record must be the run's end and agree with `facts`. Sealing a bundle that is
/// sealed and verifies with this key returns it unchanged; one that was interrupted is sealed from the start.
pub fn seal(dir: &Path, facts: ManifestFacts, key: &SigningKey) -> Result<Sealed, SealError> {
    seal_in_steps(dir, facts, key, &mut |_| Ok(()))
}

pub(super) fn seal_in_steps(
    dir: &Path,
    facts: ManifestFacts,
    key: &SigningKey,
    reached: &mut dyn FnMut(Step) -> io::Result<()>,
) -> Result<Sealed, SealError> {
    let layout = BundleLayout::new(dir);
    let mut reached = |step| reached(step).map_err(io_error("seal", dir));
    let bundle = BundleDir::open(dir).map_err(io_error("open", dir))?;
    if bundle.root_file(ATTESTATION).is_some() {
        return sealed_before(dir, &facts, key);
    }
    let _writer = exclude_writer(&bundle, &layout.journal())?;
    for draft in [MANIFEST_DRAFT, ATTESTATION_DRAFT] {
        let draft = dir.join(draft);
        remove_if_present(&draft).map_err(io_error("remove", &draft))?;
    }
    remove_empty_directories(&layout)?;
    reached(Step::Cleared)?;

    let stock = take_stock(&layout, &bundle, &facts)?;
    let manifest = Manifest::assemble(facts, stock.journal, stock.files);
    let bytes = manifest.to_bytes().map_err(SealError::Canonical)?;
    if bytes.len() as u64 > MAX_MANIFEST_BYTES {
        return Err(SealError::TooLarge {
            what: "manifest",
            bytes: bytes.len() as u64,
            limit: MAX_MANIFEST_BYTES,
        });
    }
    let manifest_digest = Sha256Digest::of(&bytes);
    let statement = Statement::for_run(&manifest, manifest_digest);
    let payload = canonical::to_bytes(&statement).map_err(SealError::Canonical)?;
    let attestation = sign_envelope(&payload, &[key]).map_err(SealError::Canonical)?;
    reached(Step::StockTaken)?;

    let draft = dir.join(MANIFEST_DRAFT);
    write_new(&draft, &bytes, 0o644).map_err(io_error("write", &draft))?;
    reached(Step::ManifestDrafted)?;
    put_in_place(&draft, &layout.manifest(), dir)?;
    reached(Step::ManifestInPlace)?;

    let draft = dir.join(ATTESTATION_DRAFT);
    write_new(&draft, &attestation, 0o644).map_err(io_error("write", &draft))?;
    reached(Step::AttestationDrafted)?;
    put_in_place(&draft, &layout.attestation(), dir)?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_directory(parent).map_err(io_error("sync", parent))?;
    }
    reached(Step::AttestationInPlace)?;
    Ok(Sealed {
        manifest_digest,
        keyid: keyid(&key.verifying_key()),
        manifest,
        was_sealed: false,
    })
}

fn put_in_place(draft: &Path, place: &Path, dir: &Path) -> Result<(), SealError> {
    fs::rename(draft, place).map_err(io_error("write", place))?;
    sync_directory(dir).map_err(io_error("sync", dir))
}

/// Keeps the journal's writer out while its lines are counted.
fn exclude_writer(bundle: &BundleDir, journal: &Path) -> Result<File, SealError> {
    let foreign = |what| SealError::Foreign {
        path: JOURNAL.to_owned(),
        what,
    };
    let file = match bundle.root_file(JOURNAL) {
        Some(Found::File(file)) => file,
        None => return Err(SealError::Missing(JOURNAL)),
        Some(Found::EmptyDirectory | Found::ForeignDirectory) => {
            return Err(foreign("a directory"));
        }
        Some(Found::Refused(what)) => return Err(foreign(what)),
        Some(Found::Unreadable(source)) => return Err(io_error("open", journal)(source)),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SealError::JournalInUse),
        Err(TryLockError::Error(error)) => Err(io_error("lock", journal)(error)),
    }
}

/// A bundle with an attestation is either good as it is or an error; it is never signed again.
fn sealed_before(dir: &Path, facts: &ManifestFacts, key: &SigningKey) -> Result<Sealed, SealError> {
    let own = TrustedKey::new(key.verifying_key(), "the signing key").map_err(SealError::Key)?;
    let keyid = own.keyid().to_owned();
    let verification = verify(dir, &[own]);
    if let Some(finding) = verification.findings.into_iter().next() {
        return Err(SealError::Invalid(finding));
    }
    let (manifest, manifest_digest) = verification
        .manifest
        .zip(verification.manifest_digest)
        .expect("a bundle without findings has a manifest");
    if manifest.run_id != facts.run_id {
        return Err(SealError::OtherRun {
            found: manifest.run_id,
            wanted: facts.run_id,
        });
    }
    Ok(Sealed {
        manifest_digest,
        keyid,
        manifest,
        was_sealed: true,
    })
}
