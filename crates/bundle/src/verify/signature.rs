//! The attestation: signed by a trusted key, and saying exactly what the manifest says.

use dogwatch_core::{Sha256Digest, canonical};

use super::finding::{Findings, codes};
use crate::attestation::{RunPredicate, Statement, Subject};
use crate::dsse::{DsseError, open_envelope};
use crate::keys::TrustedKey;
use crate::layout::{ATTESTATION, MANIFEST};
use crate::manifest::Manifest;

/// The largest attestation or verdict that is read.
pub(super) const MAX_ATTESTATION_BYTES: u64 = 1024 * 1024;

/// Checks the attestation. Gives the id of the first key if every signature is good.
pub(super) fn check(
    file: &[u8],
    keys: &[TrustedKey],
    manifest: Option<&Manifest>,
    digest: Sha256Digest,
    findings: &mut Findings,
) -> Option<String> {
    let opened = match open_envelope(file, keys) {
        Ok(opened) => opened,
        // Said before anything else was looked at.
        Err(DsseError::NoTrustedKey) => return None,
        Err(error) => {
            findings.add(error.code(), ATTESTATION, error.to_string());
            return None;
        }
    };
    let keyid = opened.keyids.into_iter().next();
    let statement: Statement<RunPredicate> = match serde_json::from_slice(&opened.payload) {
        Ok(statement) => statement,
        Err(error) => {
            findings.add(codes::STATEMENT_UNPARSABLE, ATTESTATION, error.to_string());
            return keyid;
        }
    };
    if canonical::to_bytes(&statement).ok().as_deref() != Some(&opened.payload) {
        findings.add(
            codes::STATEMENT_UNPARSABLE,
            ATTESTATION,
            "the statement is not in its canonical form",
        );
    }
    if statement.subject.first() != Some(&Subject::manifest(digest)) {
        findings.add(
            codes::MANIFEST_MISMATCH,
            MANIFEST,
            format!("its digest {digest} is not the one that was signed"),
        );
    } else if let Some(manifest) = manifest
        && statement != Statement::for_run(manifest, digest)
    {
        findings.add(
            codes::ATTESTATION_MISMATCH,
            ATTESTATION,
            "the signed statement says something else than the manifest",
        );
    }
    keyid
}
