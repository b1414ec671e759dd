//! What the seal refuses, and that sealing again changes nothing.

use std::fs;
use std::os::unix::fs::symlink;

use dogwatch_bundle::{JournalWriter, ManifestFacts, SealError, seal};
use dogwatch_core::Sha256Digest;
use dogwatch_core::job::RunOutcome;
use ed25519_dalek::SigningKey;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::fixture::{Bundle, Plan, files_under, note, run_id, runner_key};

fn refusal(bundle: &Bundle) -> SealError {
    let error = seal(&bundle.dir, bundle.facts.clone(), &runner_key()).unwrap_err();
    for name in ["manifest.json", "attestation.dsse.json"] {
        assert!(!bundle.path(name).exists(), "{name} after {error}");
    }
    error
}

#[test]
fn the_manifest_lists_every_file_and_nothing_else() {
    let bundle = Bundle::open(&Plan::reference());
    fs::create_dir_all(bundle.path("reports")).unwrap();
    bundle.write("reports/brief.md", "x");
    fs::create_dir_all(bundle.path("verdicts")).unwrap();
    fs::create_dir_all(bundle.path("turns/004")).unwrap();
    let sealed = bundle.seal();
    assert!(!sealed.was_sealed);
    let wanted: Vec<String> = files_under(&bundle.dir)
        .into_iter()
        .filter(|name| !name.starts_with("reports/"))
        .filter(|name| name != "manifest.json" && name != "attestation.dsse.json")
        .collect();
    let listed: Vec<String> = sealed.manifest.files.keys().cloned().collect();
    assert_eq!(listed, wanted);
    assert_eq!(sealed.manifest.journal.count, 32);
    let bytes = bundle.read("manifest.json");
    assert_eq!(Sha256Digest::of(&bytes), sealed.manifest_digest);
    assert_eq!(bytes, sealed.manifest.to_bytes().unwrap());
    assert!(!bundle.path("turns/004").exists());
    assert!(bundle.verify().valid);
}

#[test]
fn sealing_again_changes_nothing() {
    let bundle = Bundle::open(&Plan::small());
    let first = bundle.seal();
    let files = |name: &str| bundle.read(name);
    let before = (files("manifest.json"), files("attestation.dsse.json"));
    let other_facts = ManifestFacts {
        notes: vec!["later".to_owned()],
        ..bundle.facts.clone()
    };
    let again = seal(&bundle.dir, other_facts, &runner_key()).unwrap();
    assert!(again.was_sealed);
    assert_eq!(again.manifest_digest, first.manifest_digest);
    assert_eq!(again.manifest, first.manifest);
    assert_eq!(
        before,
        (files("manifest.json"), files("attestation.dsse.json"))
    );
}

#[test]
fn a_sealed_bundle_that_does_not_verify_is_not_signed_again() {
    let bundle = Bundle::open(&Plan::small());
    bundle.seal();
    let attestation = bundle.read("attestation.dsse.json");
    bundle.write("patch.diff", "something else");
    let error = seal(&bundle.dir, bundle.facts.clone(), &runner_key()).unwrap_err();
    assert!(matches!(error, SealError::Invalid(_)), "{error}");
    assert!(error.to_string().contains("patch.diff"), "{error}");
    assert_eq!(bundle.read("attestation.dsse.json"), attestation);
    bundle.write("patch.diff", &Plan::small().patch);
    let stranger = SigningKey::from_bytes(&[66; 32]);
    let error = seal(&bundle.dir, bundle.facts.clone(), &stranger).unwrap_err();
    assert!(matches!(error, SealError::Invalid(_)), "{error}");
    let other = ManifestFacts {
        run_id: run_id(9),
        ..bundle.facts.clone()
    };
    let error = seal(&bundle.dir, other, &runner_key()).unwrap_err();
    assert!(matches!(error, SealError::OtherRun { .. }), "{error}");
}

#[test]
fn what_is_not_evidence_is_refused_by_name() {
    let bundle = Bundle::open(&Plan::reference());
    let foreign = |path: &str| {
        let error = refusal(&bundle);
        assert!(
            matches!(&error, SealError::Foreign { path: found, .. } if found == path),
            "{error}"
        );
    };
    for name in ["link", "turns/001/link", "gates/link"] {
        symlink("/etc/passwd", bundle.path(name)).unwrap();
        foreign(name);
        fs::remove_file(bundle.path(name)).unwrap();
    }
    let honest = bundle.read("journal.jsonl");
    fs::remove_file(bundle.path("journal.jsonl")).unwrap();
    mkfifo(
        &bundle.path("journal.jsonl"),
        Mode::from_bits_truncate(0o644),
    )
    .unwrap();
    foreign("journal.jsonl");
    fs::remove_file(bundle.path("journal.jsonl")).unwrap();
    bundle.write("journal.jsonl", honest);
    mkfifo(
        &bundle.path("turns/002/pipe"),
        Mode::from_bits_truncate(0o644),
    )
    .unwrap();
    foreign("turns/002/pipe");
    fs::remove_file(bundle.path("turns/002/pipe")).unwrap();
    for name in ["src", "turns/001/deep", "gates/.hidden/"] {
        fs::create_dir(bundle.path(name)).unwrap();
        bundle.write(&format!("{name}/file"), "x");
        foreign(name.trim_end_matches('/'));
        fs::remove_dir_all(bundle.path(name)).unwrap();
    }
    bundle.seal();
    assert!(bundle.verify().valid);
}

#[test]
fn the_stored_contract_and_profile_must_be_those_of_the_run() {
    for name in ["contract.json", "profile.json"] {
        let bundle = Bundle::open(&Plan::small());
        bundle.write(name, "{}");
        let error = refusal(&bundle);
        assert!(
            matches!(&error, SealError::WrongContent(found) if *found == name),
            "{error}"
        );
        fs::remove_file(bundle.path(name)).unwrap();
        let error = refusal(&bundle);
        assert!(
            matches!(&error, SealError::Missing(found) if *found == name),
            "{error}"
        );
    }
}

#[test]
fn the_journal_must_be_whole_and_end_with_the_outcome() {
    let bundle = Bundle::open(&Plan::small());
    let honest = bundle.read("journal.jsonl");

    let writer = JournalWriter::open(bundle.path("journal.jsonl"), run_id(1)).unwrap();
    assert!(matches!(refusal(&bundle), SealError::JournalInUse));
    drop(writer);

    bundle.write("journal.jsonl", &honest[..honest.len() - 1]);
    let error = refusal(&bundle);
    assert!(matches!(&error, SealError::Journal(_)), "{error}");
    let mut changed = honest.clone();
    changed[20] ^= 1;
    bundle.write("journal.jsonl", &changed);
    let error = refusal(&bundle);
    assert!(
        matches!(&error, SealError::Journal(finding) if finding.seq == 1),
        "{error}"
    );
    bundle.write("journal.jsonl", &honest);

    let mut writer = JournalWriter::open(bundle.path("journal.jsonl"), run_id(1)).unwrap();
    writer.append(note(1, 99)).unwrap();
    drop(writer);
    assert!(matches!(refusal(&bundle), SealError::NoOutcome));

    fs::remove_file(bundle.path("journal.jsonl")).unwrap();
    assert!(matches!(
        refusal(&bundle),
        SealError::Missing("journal.jsonl")
    ));
    bundle.write("journal.jsonl", "");
    assert!(matches!(refusal(&bundle), SealError::NoOutcome));
    bundle.write("journal.jsonl", &honest);

    let differs = |facts: ManifestFacts, what: &str| {
        let error = seal(&bundle.dir, facts, &runner_key()).unwrap_err();
        assert!(
            matches!(&error, SealError::OutcomeDiffers(found) if *found == what),
            "{error}"
        );
    };
    let mut other = bundle.facts.clone();
    other.outcome.status = RunOutcome::Failed;
    differs(other, "outcome");
    let mut other = bundle.facts.clone();
    other.tree = Some("b".repeat(40));
    differs(other, "tree");
    let mut other = bundle.facts.clone();
    other.run_id = run_id(2);
    let error = seal(&bundle.dir, other, &runner_key()).unwrap_err();
    assert!(matches!(error, SealError::Journal(_)), "{error}");
    bundle.seal();
    assert!(bundle.verify().valid);
}

#[test]
fn leftovers_of_an_earlier_seal_are_cleared() {
    let bundle = Bundle::open(&Plan::small());
    bundle.write(".manifest.json.draft", "half");
    bundle.write(".attestation.dsse.json.draft", "half");
    bundle.write("manifest.json", "an unsigned manifest has no say");
    assert!(!bundle.verify().valid);
    let sealed = bundle.seal();
    assert!(!sealed.was_sealed);
    assert!(bundle.verify().valid);
    assert!(!bundle.path(".manifest.json.draft").exists());
}
