//! What is on record and in the bundle after a verdict, whatever became of the process that gave it.

use std::fs;

use dogwatch_bundle::VerdictKind;
use serde_json::json;

use super::stage::{Stage, said};

#[test]
fn a_rejection_is_on_record_and_signed() {
    let stage = Stage::new();
    let run = stage.run_id();
    let args = ["reject", run, "--reason", "it is wrong", "--json"];
    let first = said(&stage.case.dogwatch(&args));
    assert_eq!(first["reason"], "it is wrong");
    stage.case.dogwatch(&args);
    assert_eq!(stage.statements().len(), 1, "said again it is the same");
    let verification = stage.verification();
    assert!(verification.valid, "{:?}", verification.findings);
    let verdict = &verification.verdicts[0].predicate;
    assert_eq!(verdict.kind, VerdictKind::Reject);
    assert_eq!(verdict.reason.as_deref(), Some("it is wrong"));
    assert_eq!(stage.header()["judgement"]["kind"], "reject");
    let verify = stage.case.dogwatch(&["verify", run]);
    assert!(verify.out.contains("reject   by "), "{verify:?}");
    assert!(verify.out.contains("it is wrong"), "{verify:?}");

    // A person may change their mind until the change has landed.
    stage.promoted(&[]);
    stage.has_landed("refs/heads/main");
    assert_eq!(stage.statements().len(), 2);
    let kinds: Vec<_> = stage
        .verification()
        .verdicts
        .iter()
        .map(|verdict| verdict.predicate.kind)
        .collect();
    assert_eq!(kinds, [VerdictKind::Reject, VerdictKind::Promote]);
}

#[test]
fn a_run_that_failed_can_be_rejected() {
    let stage = Stage::new();
    stage
        .case
        .script(json!([{"respond": {"status": "failed", "summary": "no"}}]));
    let failed = stage.case.run().result();
    let run = failed["run_id"].as_str().expect("a run");
    // A job means its latest run.
    let job = failed["job_id"].as_str().expect("a job");
    let rejected = said(&stage.case.dogwatch(&["reject", job, "--json"]));
    assert_eq!(rejected["run_id"], run);
    stage
        .case
        .verified(std::path::Path::new(rejected["bundle"].as_str().unwrap()));
}

#[test]
fn a_changed_verdict_is_found_and_keeps_the_change_out() {
    let stage = Stage::new();
    said(&stage.case.dogwatch(&["reject", stage.run_id(), "--json"]));
    let statement = stage.statements().remove(0);
    let good = fs::read(&statement).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(&statement, &bad).unwrap();
    let verify = stage.case.dogwatch(&["verify", stage.run_id()]);
    assert_eq!(verify.code, Some(1), "{verify:?}");
    assert!(verify.out.contains("verdicts/reject-"), "{verify:?}");
    let refused = stage.promote(&[]);
    refused.expect_refusal(
        "evidence_incomplete",
        &["verdicts/reject-", "dogwatch verify"],
    );
    assert_eq!(stage.case.repo.head(), stage.base);
    fs::write(&statement, &good).unwrap();
    stage.promoted(&[]);
}

#[test]
fn without_evidence_there_is_no_verdict() {
    let stage = Stage::new();
    let patch = stage.finished.bundle.patch();
    let good = fs::read(&patch).unwrap();
    fs::write(&patch, [&good[..], b"+more\n"].concat()).unwrap();
    for args in [
        ["promote", stage.run_id(), "--json"],
        ["reject", stage.run_id(), "--json"],
    ] {
        let refused = stage.case.dogwatch(&args);
        refused.expect_refusal("evidence_incomplete", &["patch.diff"]);
    }
    let aside = stage.case.home.root().join("aside");
    fs::rename(stage.finished.bundle.root(), &aside).unwrap();
    let refused = stage.promote(&[]);
    refused.expect_refusal("evidence_incomplete", &["is not at"]);
    fs::rename(&aside, stage.finished.bundle.root()).unwrap();
    fs::write(&patch, good).unwrap();
    stage.is_untouched(&stage.base);
    assert_eq!(stage.header()["judgement"], json!(null));
}

/// Killed between any two steps, the same command again brings it to the same end.
#[cfg(feature = "failpoints")]
#[test]
fn a_promotion_that_was_killed_is_finished_by_the_next() {
    for (point, args) in [
        ("promote.judged", &[][..]),
        ("promote.begun", &["--branch", "fix"]),
        ("promote.executed", &[]),
        ("promote.executed", &["--merge"]),
        ("promote.executed", &["--branch", "fix"]),
        ("promote.landed", &["--branch", "fix"]),
    ] {
        let stage = Stage::new();
        let merge = args == ["--merge"];
        let repo = &stage.case.repo;
        if merge {
            repo.write("README.md", "# Another\n").commit("meanwhile");
        }
        let marker = stage.case.meeting("stands-still");
        let all = [
            &["promote", stage.run_id(), "--message", "the first try"],
            args,
        ]
        .concat();
        let mut command = stage.case.command(all);
        command
            .env("DOGWATCH_FAILPOINT", point)
            .env("DOGWATCH_FAILPOINT_MARKER", &marker);
        let running = stage.case.start(command);
        running.wait_for_file(&marker);
        drop(running);
        assert_eq!(stage.statements().len(), 0, "{point}");

        // What is done stays done, even if the next one is asked for something else.
        if point == "promote.executed" && args.contains(&"fix") {
            let refused = stage.promote(&["--into", "main"]);
            refused.expect_refusal("already_landed", &["git merge fix"]);
        } else if point == "promote.executed" && !merge {
            let mut later = stage.case.command(["promote", stage.run_id()]);
            later.args(["--message", "another message"]);
            let ended = stage.case.start(later).wait();
            assert_eq!(ended.code, Some(0), "{point}: {ended:?}");
        }
        let branch = if args.contains(&"fix") {
            "refs/heads/fix"
        } else {
            "refs/heads/main"
        };
        let again = [args, &["--message", "the first try"]].concat();
        let document = stage.promoted(&again);
        let how = match (merge, branch) {
            (true, _) => "merge",
            (false, "refs/heads/fix") => "branch",
            (false, _) => "fast_forward",
        };
        assert_eq!(document["landed"]["how"], how, "{point}");
        stage.has_landed(branch);
        assert_eq!(stage.statements().len(), 1, "{point}");
        let count = repo
            .git(["rev-list", "--count", &format!("{}..{branch}", stage.base)])
            .text();
        assert_eq!(count, if merge { "3" } else { "1" }, "{point}");
        assert_eq!(repo.status(), "", "{point}");
        let subject = repo.git(["log", "-1", "--format=%s", branch]).text();
        assert!(subject.contains("the first try"), "{point}: {subject}");
    }
}
