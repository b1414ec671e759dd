//! The files: every listed one is there with its bytes, and nothing else is.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::File;

use dogwatch_core::Sha256Digest;

use super::finding::{Findings, codes};
use super::journal;
use crate::digest::digest_file;
use crate::layout::{ATTESTATION, CONTRACT, JOURNAL, MANIFEST, PROFILE};
use crate::manifest::{FileFacts, Manifest};
use crate::walk::{BundleDir, Found};

/// Compares what stands in the bundle with what the manifest lists.
pub(super) fn check(bundle: &BundleDir, manifest: &Manifest, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    let walked: Result<(), Infallible> = bundle.walk(&mut |path, found| {
        if path == MANIFEST || path == ATTESTATION {
            return Ok(());
        }
        let listed = manifest.files.get_key_value(path);
        if let Some((name, _)) = listed {
            seen.insert(name.as_str());
        }
        match (found, listed) {
            (Found::File(file), Some((_, facts))) => {
                check_file(path, &file, *facts, manifest, findings);
            }
            (Found::File(_), None) => {
                findings.add(codes::UNLISTED_FILE, path, "the seal does not cover it");
            }
            (other, _) => report_other(path, &other, findings),
        }
        Ok(())
    });
    match walked {
        Ok(()) => {}
        Err(never) => match never {},
    }
    for path in manifest.files.keys() {
        if !seen.contains(path.as_str()) {
            findings.add(codes::MISSING_FILE, path, "it was sealed and is gone");
        }
    }
    check_named(manifest, CONTRACT, Some(manifest.contract_hash), findings);
    check_named(manifest, PROFILE, Some(manifest.profile_hash), findings);
    check_named(manifest, JOURNAL, None, findings);
}

/// Reports something that is not a regular file.
pub(super) fn report_other(path: &str, found: &Found, findings: &mut Findings) {
    match found {
        Found::File(_) => {}
        Found::EmptyDirectory => {
            findings.add(
                codes::UNLISTED_DIRECTORY,
                path,
                "it holds nothing that was sealed",
            );
        }
        Found::ForeignDirectory => {
            findings.add(
                codes::UNLISTED_DIRECTORY,
                path,
                "no bundle has such a directory",
            );
        }
        Found::Refused(what) => findings.add(codes::NOT_A_FILE, path, format!("it is {what}")),
        Found::Unreadable(error) => findings.add(codes::UNREADABLE, path, error.to_string()),
    }
}

fn check_file(
    path: &str,
    file: &File,
    facts: FileFacts,
    manifest: &Manifest,
    findings: &mut Findings,
) {
    let size = match file.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) => {
            findings.add(codes::UNREADABLE, path, error.to_string());
            return;
        }
    };
    let expected = facts.bytes;
    if size != expected {
        findings.add(
            codes::SIZE_MISMATCH,
            path,
            format!("it has {size} bytes, not the {expected} that were sealed"),
        );
    }
    // A journal of another length is still looked at, to name the record.
    let digest = if path == JOURNAL {
        journal::check(file, size, manifest, findings)
    } else if size == expected {
        digest_file(file, expected.saturating_add(1))
            .map(|(digest, _)| Some(digest))
            .unwrap_or_else(|error| {
                findings.add(codes::UNREADABLE, path, error.to_string());
                None
            })
    } else {
        None
    };
    if digest.is_some_and(|digest| digest != facts.sha256) {
        findings.add(
            codes::DIGEST_MISMATCH,
            path,
            "its bytes are not those that were sealed",
        );
    }
}

/// Checks that the manifest lists a file every bundle has, with the digest it names elsewhere.
fn check_named(
    manifest: &Manifest,
    name: &str,
    wanted: Option<Sha256Digest>,
    findings: &mut Findings,
) {
    match (manifest.files.get(name), wanted) {
        (None, _) => findings.add(codes::MISSING_FILE, name, "the manifest does not list it"),
        (Some(facts), Some(wanted)) if facts.sha256 != wanted => findings.add(
            codes::HASH_MISMATCH,
            name,
            format!("the manifest lists {} and names {wanted}", facts.sha256),
        ),
        (Some(_), _) => {}
    }
}
