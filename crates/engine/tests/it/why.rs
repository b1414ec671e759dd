//! Why a job stands where it stands.

use dogwatch_api::{CancelJob, ControlPlane, JobRef, PostMessage};
use dogwatch_core::ids::JobId;
use dogwatch_core::job::{JobStatus, RunOutcome};
use dogwatch_store::Reads;

use crate::bench::Bench;

async fn stored_ids(bench: &Bench, job: JobId) -> Vec<String> {
    let lines = bench.store.events(job, 0, 1_000).await.unwrap();
    lines
        .iter()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_slice(&line.line).unwrap();
            event["id"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn every_cause_is_an_event_of_the_job_in_plain_words() {
    let bench = Bench::new();
    let request = bench.request_with("one", 2);
    let job = bench.user().submit(request).await.unwrap().job_id;
    let first = bench.taken(job).await;
    let message = PostMessage {
        held: first.held,
        run: first.run,
        topic: "progress".to_owned(),
        text: "half way".to_owned(),
    };
    bench.runner().post_message(message).await.unwrap();
    bench.ended(&first, RunOutcome::Failed).await;
    let why = bench.user().why(JobRef::Job(job)).await.unwrap();
    assert_eq!(why.status, JobStatus::Queued);
    assert!(
        why.summary.contains("before another attempt"),
        "{}",
        why.summary
    );
    let stored = stored_ids(&bench, job).await;
    assert_eq!(
        why.causes.len(),
        stored.len() - 1,
        "progress causes nothing"
    );
    let mut before = 0;
    for cause in &why.causes {
        assert!(stored.contains(&cause.event.to_string()));
        assert!(cause.seq > before, "the oldest first");
        before = cause.seq;
        assert!(
            !cause.says.is_empty() && !cause.says.contains('{'),
            "{cause:?}"
        );
    }
    let says: Vec<&str> = why.causes.iter().map(|cause| cause.says.as_str()).collect();
    assert_eq!(says[1], "it was submitted");
    assert!(
        says.iter()
            .any(|says| says.contains("failed (agent_failed): it failed")),
        "{says:#?}"
    );
    assert!(
        says.last().unwrap().contains("after a wait of 5000 ms"),
        "{says:#?}"
    );
}

#[tokio::test]
async fn a_run_has_causes_of_its_own() {
    let bench = Bench::new();
    let request = bench.request_with("one", 2);
    let job = bench.user().submit(request).await.unwrap().job_id;
    let first = bench.taken(job).await;
    bench.ended(&first, RunOutcome::Failed).await;
    bench.engine.tick(std::time::Duration::ZERO).await.unwrap();
    let over = std::time::Duration::from_secs(5);
    bench.engine.tick(over).await.unwrap();
    let second = bench.taken(job).await;
    let why = bench.user().why(JobRef::Run(first.run)).await.unwrap();
    assert_eq!((why.job, why.run), (job, Some(first.run)));
    assert!(why.summary.contains("attempt 1"), "{}", why.summary);
    let says: String = why.causes.iter().map(|cause| cause.says.as_str()).collect();
    assert!(says.contains(&first.run.to_string()));
    assert!(!says.contains(&second.run.to_string()));
}

#[tokio::test]
async fn what_to_do_next_is_said() {
    let bench = Bench::new();
    let next = async |job| {
        let why = bench.user().why(JobRef::Job(job)).await.unwrap();
        (why.next_action, why.unmet.len())
    };
    let queued = bench.submitted("queued").await;
    assert!(next(queued).await.0.contains("start a runner"));
    let review = serde_json::json!({ "approve_before_start": true });
    let request = bench.request_with_review(review);
    let waiting = bench.user().submit(request).await.unwrap().job_id;
    assert!(next(waiting).await.0.contains("approvals approve apr_"));
    let running = bench.taken(queued).await;
    assert!(next(queued).await.0.contains("logs"));
    bench.ended(&running, RunOutcome::Blocked).await;
    assert_eq!(next(queued).await.0, "retry");
    let cancel = CancelJob {
        job: waiting,
        reason: "x".to_owned(),
    };
    bench.user().cancel(cancel).await.unwrap();
    let (said, unmet) = next(waiting).await;
    assert!(said.contains("retry") && unmet == 0, "{said}");
}
