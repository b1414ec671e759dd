//! Verdicts: statements about the sealed bundle that were signed later, each by itself.

use std::convert::Infallible;
use std::fs::File;

use serde_json::Value;

use dogwatch_core::{Sha256Digest, canonical};

use super::files::report_other;
use super::finding::{Findings, codes};
use super::signature::MAX_ATTESTATION_BYTES;
use crate::attestation::{STATEMENT_TYPE, Statement, Subject, VERDICT_TYPE_PREFIX};
use crate::digest::read_capped;
use crate::dsse::open_envelope;
use crate::keys::TrustedKey;
use crate::layout::VERDICT_SUFFIX;
use crate::walk::{BundleDir, Found};

/// Checks that every verdict is about this manifest and signed by trusted keys.
pub(super) fn check(
    bundle: &BundleDir,
    keys: &[TrustedKey],
    manifest: Sha256Digest,
    findings: &mut Findings,
) {
    let walked: Result<(), Infallible> = bundle.walk_verdicts(&mut |path, found| {
        match found {
            Found::File(file) if path.ends_with(VERDICT_SUFFIX) => {
                if let Err((code, detail)) = check_verdict(&file, keys, manifest) {
                    findings.add(code, path, detail);
                }
            }
            Found::File(_) => findings.add(codes::UNLISTED_FILE, path, "it is not a verdict"),
            other => report_other(path, &other, findings),
        }
        Ok(())
    });
    match walked {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

fn check_verdict(
    file: &File,
    keys: &[TrustedKey],
    manifest: Sha256Digest,
) -> Result<(), (&'static str, String)> {
    let bytes = read_capped(file, MAX_ATTESTATION_BYTES)
        .map_err(|error| (codes::UNREADABLE, error.to_string()))?
        .ok_or_else(|| (codes::TOO_LARGE, "it is too large for a verdict".to_owned()))?;
    let opened = open_envelope(&bytes, keys).map_err(|error| (error.code(), error.to_string()))?;
    let bad = |detail: String| (codes::BAD_VERDICT, detail);
    let statement: Statement<Value> =
        serde_json::from_slice(&opened.payload).map_err(|error| bad(error.to_string()))?;
    if canonical::to_bytes(&statement).ok().as_deref() != Some(&opened.payload) {
        return Err(bad("the statement is not in its canonical form".to_owned()));
    }
    if statement.statement_type != STATEMENT_TYPE
        || !statement.predicate_type.starts_with(VERDICT_TYPE_PREFIX)
    {
        return Err(bad("the statement is not a verdict".to_owned()));
    }
    if statement.subject != [Subject::manifest(manifest)] {
        return Err(bad("the verdict is about another manifest".to_owned()));
    }
    Ok(())
}
