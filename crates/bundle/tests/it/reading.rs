//! Reading bundles for display.

use std::fs;

use dogwatch_bundle::{BundleReader, BundleState, ReadError};

use crate::fixture::{Bundle, Plan};

#[test]
fn a_bundle_is_read_open_half_sealed_and_sealed() {
    let bundle = Bundle::open(&Plan::reference());
    let reader = BundleReader::open(&bundle.dir).unwrap();
    assert_eq!(reader.state(), BundleState::Unsealed);
    assert!(reader.manifest().is_none());
    let reading = reader.journal(bundle.facts.run_id).unwrap();
    assert_eq!((reading.entries.len(), reading.findings.len()), (32, 0));

    bundle.seal();
    let reader = BundleReader::open(&bundle.dir).unwrap();
    assert_eq!(reader.state(), BundleState::Sealed);
    assert_eq!(reader.manifest().unwrap().run_id, bundle.facts.run_id);
    let turns: Vec<u32> = reader.turns().unwrap().iter().map(|(n, _)| *n).collect();
    assert_eq!(turns, [1, 2, 3]);
    assert!(reader.turns().unwrap()[1].1.stdout().is_file());
    let gates: Vec<String> = reader.gates().unwrap().into_iter().map(|g| g.0).collect();
    assert_eq!(gates, ["style%20check", "unit"]);

    fs::remove_file(bundle.path("attestation.dsse.json")).unwrap();
    let reader = BundleReader::open(&bundle.dir).unwrap();
    assert_eq!(reader.state(), BundleState::HalfSealed);
}

#[test]
fn what_cannot_be_read_is_never_empty() {
    let bundle = Bundle::sealed(&Plan::reference());
    bundle.write("manifest.json", "{}");
    let error = BundleReader::open(&bundle.dir).unwrap_err();
    assert!(matches!(error, ReadError::Manifest { .. }), "{error}");
    fs::remove_file(bundle.path("manifest.json")).unwrap();
    let reader = BundleReader::open(&bundle.dir).unwrap();
    fs::remove_file(bundle.path("journal.jsonl")).unwrap();
    let error = reader.journal(bundle.facts.run_id).unwrap_err();
    assert!(matches!(error, ReadError::Missing { .. }), "{error}");
    fs::remove_dir_all(bundle.path("turns")).unwrap();
    assert!(reader.turns().unwrap().is_empty());
    bundle.write("turns", "a file");
    let error = reader.turns().unwrap_err();
    assert!(matches!(error, ReadError::Refused { .. }), "{error}");
    assert!(BundleReader::open(bundle.path("nowhere")).is_err());
}
