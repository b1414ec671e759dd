//! Records dropped, repeated, swapped, cut off or taken from another run are named.

use dogwatch_bundle::{JournalWriter, Verification, codes, verify};

use crate::fixture::{Bundle, Plan, ended, note, run_id, trusted};

const JOURNAL: &str = "journal.jsonl";

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// Checks the bundle with these lines as its journal.
fn with_journal(bundle: &Bundle, lines: &[Vec<u8>]) -> Verification {
    bundle.write(JOURNAL, lines.concat());
    let verification = bundle.verify();
    assert!(!verification.valid);
    verification
}

/// The first finding about a record.
#[track_caller]
fn first(verification: &Verification) -> (&'static str, u64) {
    let finding = verification
        .findings
        .iter()
        .find(|finding| finding.path == JOURNAL && finding.record.is_some());
    let finding = finding.unwrap_or_else(|| panic!("{:?}", verification.findings));
    (finding.code, finding.record.unwrap())
}

#[track_caller]
fn assert_named(verification: &Verification, code: &str, record: u64) {
    let named = verification
        .findings
        .iter()
        .any(|finding| finding.code == code && finding.record == Some(record));
    assert!(named, "no {code} at {record}: {:?}", verification.findings);
}

#[test]
fn every_dropped_repeated_or_swapped_record_is_named() {
    let bundle = Bundle::sealed(&Plan::reference());
    let honest = lines(&bundle.read(JOURNAL));
    assert!(honest.len() >= 30);
    for at in 0..honest.len() {
        let seq = at as u64 + 1;
        let last = at + 1 == honest.len();

        let mut dropped = honest.clone();
        dropped.remove(at);
        let verification = with_journal(&bundle, &dropped);
        if last {
            assert_named(&verification, codes::JOURNAL_COUNT, seq);
            assert_named(&verification, codes::NO_OUTCOME, seq - 1);
        } else {
            assert_eq!(first(&verification), ("seq_gap", seq));
        }

        let mut repeated = honest.clone();
        repeated.insert(at, honest[at].clone());
        assert_eq!(first(&with_journal(&bundle, &repeated)), ("seq_gap", seq));

        if !last {
            let mut swapped = honest.clone();
            swapped.swap(at, at + 1);
            assert_eq!(first(&with_journal(&bundle, &swapped)), ("seq_gap", seq));
        }
    }
}

#[test]
fn every_cut_tail_is_named() {
    let bundle = Bundle::sealed(&Plan::reference());
    let honest = lines(&bundle.read(JOURNAL));
    for kept in 0..honest.len() {
        let verification = with_journal(&bundle, &honest[..kept]);
        assert_named(&verification, codes::JOURNAL_COUNT, kept as u64 + 1);
        let mut torn = honest[..=kept].to_vec();
        torn[kept].truncate(honest[kept].len() / 2);
        let verification = with_journal(&bundle, &torn);
        assert_named(&verification, "torn_tail", kept as u64 + 1);
    }
}

#[test]
fn records_and_files_of_another_run_are_named() {
    let bundle = Bundle::sealed(&Plan::reference());
    let other = Bundle::sealed(&Plan {
        run: 2,
        ..Plan::reference()
    });
    let (honest, foreign) = (lines(&bundle.read(JOURNAL)), lines(&other.read(JOURNAL)));
    for at in 0..honest.len() {
        let mut spliced = honest.clone();
        spliced[at] = foreign[at].clone();
        let verification = with_journal(&bundle, &spliced);
        assert_eq!(first(&verification), ("foreign_run", at as u64 + 1));
    }
    assert_eq!(first(&with_journal(&bundle, &foreign)), ("foreign_run", 1));
    bundle.write(JOURNAL, honest.concat());
    assert!(bundle.verify().valid);

    // The other bundle is valid by itself and signed by the same key, yet no part of it fits here.
    let attestation = bundle.read("attestation.dsse.json");
    bundle.write("attestation.dsse.json", other.read("attestation.dsse.json"));
    bundle.expect(codes::MANIFEST_MISMATCH, "manifest.json");
    bundle.write("attestation.dsse.json", attestation);
    bundle.write("manifest.json", other.read("manifest.json"));
    bundle.expect(codes::MANIFEST_MISMATCH, "manifest.json");
    bundle.write("attestation.dsse.json", other.read("attestation.dsse.json"));
    let verification = bundle.verify();
    assert_eq!(first(&verification), ("foreign_run", 1));
    assert_eq!(verification.run_id, Some(run_id(2)));
}

#[test]
fn a_whole_journal_rewritten_with_a_good_chain_is_found() {
    let bundle = Bundle::sealed(&Plan::small());
    std::fs::remove_file(bundle.path(JOURNAL)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join(JOURNAL);
    let mut writer = JournalWriter::create(&path, run_id(1)).unwrap();
    writer.append(note(1, 77)).unwrap();
    writer.append(note(1, 2)).unwrap();
    writer.append(ended(&bundle.facts, 1, 3)).unwrap();
    std::fs::copy(&path, bundle.path(JOURNAL)).unwrap();
    let verification = bundle.verify();
    assert_eq!(first(&verification), (codes::JOURNAL_HEAD, 3));
    bundle.expect(codes::DIGEST_MISMATCH, JOURNAL);
}

#[test]
fn a_journal_of_garbage_is_reported_within_bounds() {
    let bundle = Bundle::sealed(&Plan::small());
    bundle.write(JOURNAL, vec![b'\n'; 20_000]);
    let verification = bundle.verify();
    assert!(verification.findings.len() <= 1000);
    assert!(verification.more_findings > 10_000);
    bundle.write(JOURNAL, vec![b'x'; 3_000_000]);
    assert_named(&bundle.verify(), "line_too_long", 1);
    bundle.write(JOURNAL, []);
    assert_named(&bundle.verify(), codes::JOURNAL_COUNT, 1);
}

#[test]
fn a_journal_too_large_to_read_is_refused_by_its_size() {
    let bundle = Bundle::sealed(&Plan::small());
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(bundle.path(JOURNAL))
        .unwrap();
    file.set_len(dogwatch_bundle::MAX_JOURNAL_BYTES + 1)
        .unwrap();
    bundle.expect(codes::TOO_LARGE, JOURNAL);
    let verification = verify(&bundle.dir, &trusted());
    assert!(!verification.valid);
}
