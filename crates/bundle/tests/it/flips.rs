//! One changed byte anywhere outside `reports/` is found and its file is named.
//!
//! A check takes milliseconds in a debug build, so every byte is tried on a bundle with few records and a spread of them on the long
//! journal of the reference bundle. The ignored test tries every byte there too.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;

use dogwatch_bundle::verify;

use crate::fixture::{Bundle, Plan, files_under, trusted};

/// Files larger than this are sampled.
const EVERY_BYTE_UP_TO: usize = 64 * 1024;

/// Flips every `stride`th byte of the files that `wanted` names, one at a time, and gives how many there were.
fn flip(bundle: &Bundle, stride: usize, wanted: impl Fn(&str) -> bool) -> usize {
    let keys = trusted();
    let mut flips = 0;
    for name in files_under(&bundle.dir) {
        if name.starts_with("reports/") || !wanted(&name) {
            continue;
        }
        let honest = bundle.read(&name);
        let file = OpenOptions::new()
            .write(true)
            .open(bundle.path(&name))
            .unwrap();
        let stride = if honest.len() > EVERY_BYTE_UP_TO {
            997
        } else {
            stride
        };
        for at in (0..honest.len()).step_by(stride) {
            // A different bit each time; over neighbouring bytes all of them come up.
            let changed = honest[at] ^ (1 << (at % 8));
            file.write_at(&[changed], at as u64).unwrap();
            let verification = verify(&bundle.dir, &keys);
            assert!(!verification.valid, "{name} byte {at}");
            assert!(
                verification
                    .findings
                    .iter()
                    .any(|finding| finding.path == name),
                "{name} byte {at}: {:?}",
                verification.findings
            );
            file.write_at(&honest[at..=at], at as u64).unwrap();
            flips += 1;
        }
    }
    let verification = bundle.verify();
    assert!(verification.valid, "{:?}", verification.findings);
    flips
}

#[test]
fn every_flipped_byte_of_the_manifest_is_found() {
    let bundle = Bundle::sealed(&Plan::small());
    let flips = flip(&bundle, 1, |name| name == "manifest.json");
    assert!(flips > 1000, "{flips}");
}

#[test]
fn every_flipped_byte_of_the_attestation_is_found() {
    let bundle = Bundle::sealed(&Plan::small());
    let flips = flip(&bundle, 1, |name| name == "attestation.dsse.json");
    assert!(flips > 500, "{flips}");
}

#[test]
fn every_flipped_byte_of_the_journal_is_found() {
    let bundle = Bundle::sealed(&Plan::small());
    let flips = flip(&bundle, 1, |name| name == "journal.jsonl");
    assert!(flips > 1000, "{flips}");
}

#[test]
fn every_flipped_byte_of_the_other_files_is_found() {
    let mut plan = Plan::small();
    plan.gates = Plan::reference().gates;
    plan.turns.push(vec![b'x'; EVERY_BYTE_UP_TO + 1000]);
    let bundle = Bundle::sealed(&plan);
    let flips = flip(&bundle, 1, |name| {
        !matches!(
            name,
            "manifest.json" | "attestation.dsse.json" | "journal.jsonl"
        )
    });
    assert!(flips > 100, "{flips}");
}

#[test]
fn flipped_bytes_all_over_a_long_journal_are_found() {
    let bundle = Bundle::sealed(&Plan::reference());
    let flips = flip(&bundle, 61, |name| name == "journal.jsonl");
    assert!(flips > 200, "{flips}");
}

#[test]
fn a_flipped_byte_of_a_record_names_the_record() {
    let bundle = Bundle::sealed(&Plan::reference());
    let honest = bundle.read("journal.jsonl");
    let mut start = 0;
    for (seq, line) in (1_u64..).zip(honest.split_inclusive(|byte| *byte == b'\n')) {
        for at in [0, line.len() / 3, line.len() / 2, line.len() - 2] {
            let mut changed = honest.clone();
            changed[start + at] ^= 1;
            bundle.write("journal.jsonl", &changed);
            let findings = bundle.verify().findings;
            assert!(
                findings
                    .iter()
                    .any(|finding| finding.path == "journal.jsonl" && finding.record == Some(seq)),
                "record {seq} byte {at}: {findings:?}"
            );
        }
        start += line.len();
    }
}

#[test]
fn reports_may_change() {
    let bundle = Bundle::sealed(&Plan::small());
    bundle.write("reports/brief.md", "something else");
    bundle.write("reports/new.md", "more");
    std::fs::create_dir(bundle.path("reports/deep")).unwrap();
    assert!(bundle.verify().valid);
    std::fs::remove_dir_all(bundle.path("reports")).unwrap();
    assert!(bundle.verify().valid);
}
