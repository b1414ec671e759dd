//! The whole check, part by part.

use std::path::Path;

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::RunId;

use super::finding::{Finding, Findings, codes};
use super::{files, signature, verdicts};
use crate::digest::read_capped;
use crate::keys::TrustedKey;
use crate::layout::{ATTESTATION, MANIFEST};
use crate::manifest::{MAX_MANIFEST_BYTES, Manifest, ManifestError};
use crate::verdict::Verdict;
use crate::walk::{BundleDir, Found};

/// What a check says about a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    /// Nothing is wrong and everything was checked.
    pub valid: bool,
    /// The run the manifest names.
    pub run_id: Option<RunId>,
    /// Everything that is wrong, by path.
    pub findings: Vec<Finding>,
    /// How many more findings there were than are listed.
    pub more_findings: u64,
    /// The manifest, where it could be read. Unless the bundle is valid, it is a claim and nothing more.
    pub manifest: Option<Manifest>,
    /// The digest of its bytes.
    pub manifest_digest: Option<Sha256Digest>,
    /// The id of the trusted key that signed first, if the signatures are good.
    pub keyid: Option<String>,
    /// The verdicts that are about this manifest and signed by trusted keys, oldest first. What is wrong with others is a finding.
    pub verdicts: Vec<Verdict>,
}

/// Checks the sealed bundle at `dir` against the keys the reader trusts. Keys inside the bundle mean nothing.
pub fn verify(dir: &Path, keys: &[TrustedKey]) -> Verification {
    let mut findings = Findings::default();
    let mut verification = Verification {
        valid: false,
        run_id: None,
        findings: Vec::new(),
        more_findings: 0,
        manifest: None,
        manifest_digest: None,
        keyid: None,
        verdicts: Vec::new(),
    };
    match BundleDir::open(dir) {
        Ok(bundle) => check(&bundle, keys, &mut verification, &mut findings),
        Err(error) => findings.add(codes::UNREADABLE, ".", error.to_string()),
    }
    let Findings { mut list, more } = findings;
    list.sort_by(|left, right| {
        (&left.path, left.record, left.code).cmp(&(&right.path, right.record, right.code))
    });
    verification.valid = list.is_empty()
        && more == 0
        && verification.keyid.is_some()
        && verification.manifest.is_some();
    verification.findings = list;
    verification.more_findings = more;
    verification
}

fn check(
    bundle: &BundleDir,
    keys: &[TrustedKey],
    verification: &mut Verification,
    findings: &mut Findings,
) {
    if keys.is_empty() {
        findings.add(
            codes::NO_TRUSTED_KEY,
            ATTESTATION,
            "no trusted key was given, so nobody vouches for the bundle",
        );
    }
    let attestation = read(
        bundle,
        ATTESTATION,
        signature::MAX_ATTESTATION_BYTES,
        findings,
    );
    let Some(bytes) = read(bundle, MANIFEST, MAX_MANIFEST_BYTES, findings).into_option() else {
        if attestation.is_absent() {
            findings.add(codes::UNSIGNED, ATTESTATION, "there is no attestation");
        }
        return;
    };
    let digest = Sha256Digest::of(&bytes);
    verification.manifest_digest = Some(digest);
    let manifest = parse(&bytes, findings);
    match attestation {
        ReadResult::Absent => {
            findings.add(codes::UNSIGNED, ATTESTATION, "there is no attestation");
        }
        ReadResult::Refused => {}
        ReadResult::Bytes(file) => {
            verification.keyid = signature::check(&file, keys, manifest.as_ref(), digest, findings);
        }
    }
    if let Some(manifest) = &manifest {
        verification.run_id = Some(manifest.run_id);
        files::check(bundle, manifest, findings);
    }
    verification.verdicts = verdicts::check(bundle, keys, digest, findings);
    verification.manifest = manifest;
}

fn parse(bytes: &[u8], findings: &mut Findings) -> Option<Manifest> {
    match Manifest::from_bytes(bytes) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            let (code, detail) = match &error {
                ManifestError::Unparsable(cause) => {
                    (codes::MANIFEST_UNPARSABLE, format!("{error}: {cause}"))
                }
                ManifestError::Version { .. } => (codes::MANIFEST_VERSION, error.to_string()),
                ManifestError::NotCanonical => (codes::MANIFEST_NOT_CANONICAL, error.to_string()),
            };
            findings.add(code, MANIFEST, detail);
            None
        }
    }
}

/// One of the two files of the seal.
enum ReadResult {
    Absent,
    /// It is there and cannot be used; that has been reported.
    Refused,
    Bytes(Vec<u8>),
}

impl ReadResult {
    fn into_option(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Absent | Self::Refused => None,
        }
    }

    const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

fn read(bundle: &BundleDir, name: &str, limit: u64, findings: &mut Findings) -> ReadResult {
    let file = match bundle.root_file(name) {
        None => {
            if name == MANIFEST {
                findings.add(codes::UNSEALED, MANIFEST, "there is no manifest");
            }
            return ReadResult::Absent;
        }
        Some(Found::File(file)) => file,
        Some(other) => {
            files::report_other(name, &other, findings);
            return ReadResult::Refused;
        }
    };
    match read_capped(&file, limit) {
        Ok(Some(bytes)) => return ReadResult::Bytes(bytes),
        Ok(None) => findings.add(
            codes::TOO_LARGE,
            name,
            format!("it is larger than {limit} bytes"),
        ),
        Err(error) => findings.add(codes::UNREADABLE, name, error.to_string()),
    }
    ReadResult::Refused
}
