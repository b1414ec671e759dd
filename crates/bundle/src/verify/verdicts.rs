//! Verdicts: statements about the sealed bundle that were signed later, each by itself.

use std::convert::Infallible;
use std::fs::File;

use dogwatch_core::Sha256Digest;

use super::files::report_other;
use super::finding::{Findings, codes};
use super::signature::MAX_ATTESTATION_BYTES;
use crate::digest::read_capped;
use crate::dsse::open_envelope;
use crate::keys::TrustedKey;
use crate::layout::{VERDICT_SUFFIX, VERDICTS};
use crate::verdict::{Verdict, file_name};
use crate::walk::{BundleDir, Found};

/// Checks that every verdict is about this manifest and signed by trusted keys. Returns those that are, by time.
pub(super) fn check(
    bundle: &BundleDir,
    keys: &[TrustedKey],
    manifest: Sha256Digest,
    findings: &mut Findings,
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let walked: Result<(), Infallible> = bundle.walk_verdicts(&mut |path, found| {
        match found {
            Found::File(file) if path.ends_with(VERDICT_SUFFIX) => {
                match check_verdict(&file, path, keys, manifest) {
                    Ok(verdict) => verdicts.push((path.to_owned(), verdict)),
                    Err((code, detail)) => findings.add(code, path, detail),
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
    verdicts.sort_by(|(left_path, left), (right_path, right)| {
        (left.predicate.at, left_path).cmp(&(right.predicate.at, right_path))
    });
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

fn check_verdict(
    file: &File,
    path: &str,
    keys: &[TrustedKey],
    manifest: Sha256Digest,
) -> Result<Verdict, (&'static str, String)> {
    let bytes = read_capped(file, MAX_ATTESTATION_BYTES)
        .map_err(|error| (codes::UNREADABLE, error.to_string()))?
        .ok_or_else(|| (codes::TOO_LARGE, "it is too large for a verdict".to_owned()))?;
    let opened = open_envelope(&bytes, keys).map_err(|error| (error.code(), error.to_string()))?;
    let bad = |detail: String| (codes::BAD_VERDICT, detail);
    let verdict = Verdict::from_payload(&opened.payload, manifest).map_err(bad)?;
    let name = file_name(verdict.predicate.kind, &bytes);
    if path != format!("{VERDICTS}/{name}") {
        return Err(bad(format!("its name should be {name}")));
    }
    Ok(verdict)
}
