//! A run that waits for a person.

use std::fs;

use dogwatch_api::{CancelJob, ControlPlane, Verdict};
use dogwatch_core::ids::JobId;
use dogwatch_core::job::{Job, JobState, JobStatus, ParkReason, RunOutcome};
use dogwatch_core::run::RunEvent;

use crate::bench::{Bench, Working, until};

/// Asks in its first turn, and shows in its second what it was told.
const ASKS: &str = r#"
case "$DOGWATCH_TURN" in
1) echo draft > work.txt; touch "$M/asking"; wait_for asked; respond "$(cat "$M/answer")" ;;
*) cp "$DOGWATCH_PROMPT_FILE" told.txt; echo final >> work.txt; respond done ;;
esac"#;

/// A job whose run is parked, because its agent asked and then said `answer`.
async fn parked(bench: &Bench, answer: &str) -> (Working, JobId, dogwatch_core::ids::ApprovalId) {
    fs::write(bench.meeting("answer"), answer).unwrap();
    let job = bench.submit().await;
    let working = bench.work();
    bench.met("asking").await;
    let approval = bench.ask(job).await;
    bench.touch("asked");
    let waiting = bench.job_in(job, JobStatus::Parked).await;
    let JobState::Parked {
        reason,
        approval: waits_for,
        ..
    } = waiting.state
    else {
        panic!("not parked: {:?}", waiting.state);
    };
    assert_eq!((reason, waits_for), (ParkReason::Approval, Some(approval)));
    until("its slot is free", async || {
        working.runner.jobs().is_empty()
    })
    .await;
    (working, job, approval)
}

fn told(bench: &Bench, job: &Job) -> String {
    let tree = job.runs[0].closed.as_ref().unwrap().tree.clone().unwrap();
    assert_eq!(
        bench.file_in(&tree, "work.txt").as_deref(),
        Some("draft\nfinal\n")
    );
    bench.file_in(&tree, "told.txt").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_run_goes_on_as_itself_when_a_person_approves() {
    for answer in ["blocked", "continue"] {
        let bench = Bench::new(ASKS);
        let (working, job, approval) = parked(&bench, answer).await;
        let run = bench.job(job).await.runs[0].id;
        assert!(bench.layout.workspace(run).join("work.txt").exists());
        bench.decide(approval, Verdict::Approve, "go ahead").await;
        let done = bench.job_in(job, JobStatus::Succeeded).await;
        assert_eq!(done.runs.len(), 1);
        assert_eq!(done.runs[0].id, run);
        let told = told(&bench, &done);
        assert!(told.contains("approved: go ahead"), "{told}");
        assert!(
            told.contains(r#"{"to":"production","tool":"deploy"}"#),
            "{told}"
        );
        bench.assert_sealed(run);
        working.drain().await;
        assert!(!bench.layout.work(run).exists());

        let lines = bench.plane().run_lines(run, 0).await.unwrap();
        let kinds: Vec<String> = lines
            .iter()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_slice(line).unwrap();
                line["kind"].as_str().unwrap().to_owned()
            })
            .collect();
        let parked = kinds
            .iter()
            .position(|kind| kind == "run.parked.v1")
            .unwrap();
        assert_eq!(kinds[parked + 1], "run.resumed.v1");
        assert_eq!(kinds.last().unwrap(), RunEvent::ENDED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_told_with_its_words() {
    let bench = Bench::new(ASKS);
    let (working, job, approval) = parked(&bench, "blocked").await;
    bench
        .decide(approval, Verdict::Reject, "not on a Friday")
        .await;
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    let told = told(&bench, &done);
    assert!(told.contains("rejected: not on a Friday"), "{told}");
    assert!(told.contains("Do not do it"), "{told}");
    working.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_quicker_than_the_turn_is_heard_too() {
    let bench = Bench::new(ASKS);
    fs::write(bench.meeting("answer"), "blocked").unwrap();
    let job = bench.submit().await;
    let working = bench.work();
    bench.met("asking").await;
    let approval = bench.ask(job).await;
    bench.decide(approval, Verdict::Approve, "at once").await;
    bench.touch("asked");
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    assert!(told(&bench, &done).contains("approved: at once"));
    assert_eq!(working.drain().await.jobs, 1, "it was not parked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_run_without_its_workspace_goes_on_from_its_snapshot() {
    let bench = Bench::new(ASKS);
    let (working, job, approval) = parked(&bench, "blocked").await;
    let run = bench.job(job).await.runs[0].id;
    fs::remove_dir_all(bench.layout.work(run)).unwrap();
    bench.decide(approval, Verdict::Approve, "").await;
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    told(&bench, &done);
    bench.assert_sealed(run);
    working.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_run_that_is_called_off_ends_in_order() {
    let bench = Bench::new(ASKS);
    let (working, job, _) = parked(&bench, "blocked").await;
    let request = CancelJob {
        job,
        reason: "no longer wanted".to_owned(),
    };
    bench.user().cancel(request).await.unwrap();
    let cancelled = bench.job_in(job, JobStatus::Cancelled).await;
    let closed = cancelled.runs[0].closed.clone().unwrap();
    assert_eq!(closed.outcome, RunOutcome::Stopped);
    assert!(closed.manifest.is_some());
    let tree = closed.tree.unwrap();
    assert_eq!(bench.file_in(&tree, "work.txt").as_deref(), Some("draft\n"));
    assert_eq!(bench.file_in(&tree, "told.txt"), None, "no turn was given");
    bench.assert_sealed(cancelled.runs[0].id);
    working.drain().await;
    assert!(!bench.layout.work(cancelled.runs[0].id).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_run_whose_journal_was_changed_fails_instead_of_going_on() {
    let bench = Bench::new(ASKS);
    let (working, job, approval) = parked(&bench, "blocked").await;
    let run = bench.job(job).await.runs[0].id;
    let journal = bench.layout.bundle(run).join("journal.jsonl");
    let mut text = fs::read(&journal).unwrap();
    text.extend_from_slice(b"{\"not\":\"ours\"}\n");
    fs::write(&journal, text).unwrap();
    bench.decide(approval, Verdict::Approve, "").await;
    let failed = bench.job_in(job, JobStatus::Failed).await;
    assert_eq!(failed.state.failure().unwrap().code, "journal_fork");
    assert!(bench.layout.bundle(run).join("journal.late.jsonl").exists());
    bench.assert_sealed(run);
    working.drain().await;
}
