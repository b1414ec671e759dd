//! Jobs from submission to their end.

use dogwatch_api::{CancelJob, Continue, ControlPlane, JobRef, ListJobs, RetryJob};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::{JobStatus, RunOutcome};

use crate::bench::Bench;

fn retry(job: JobId) -> RetryJob {
    RetryJob {
        job,
        reason: "test".to_owned(),
        goes_on: None,
        idempotency_key: None,
    }
}

async fn run_to(bench: &Bench, job: JobId, outcome: RunOutcome) -> JobStatus {
    let running = bench.taken(job).await;
    bench.ended(&running, outcome).await.state.status()
}

#[tokio::test]
async fn a_job_goes_from_submission_to_success() {
    let bench = Bench::new();
    let job = bench.submitted("fix it\n\nwith care").await;
    assert_eq!(bench.job(job).await.title, "fix it");
    assert_eq!(
        run_to(&bench, job, RunOutcome::Succeeded).await,
        JobStatus::Succeeded
    );
}

#[tokio::test]
async fn the_same_key_gives_the_same_job_and_another_request_under_it_is_refused() {
    let bench = Bench::new();
    let mut request = bench.request("one");
    request.idempotency_key = Some("k".to_owned());
    let first = bench.user().submit(request.clone()).await.unwrap();
    let again = bench.user().submit(request).await.unwrap();
    assert_eq!(first.job_id, again.job_id);
    assert!(again.replayed && !first.replayed);
    let mut other = bench.request("two");
    other.idempotency_key = Some("k".to_owned());
    let problem = bench.user().submit(other).await.unwrap_err();
    assert_eq!(problem.code, "idempotency_conflict");
    let jobs = bench.user().list_jobs(ListJobs::default()).await.unwrap();
    assert_eq!(jobs.items.len(), 1);
}

#[tokio::test]
async fn a_contract_that_is_not_its_hash_is_refused_and_nothing_is_stored() {
    let bench = Bench::new();
    let mut request = bench.request("one");
    request.contract.push(b' ');
    let problem = bench.user().submit(request).await.unwrap_err();
    assert_eq!(problem.code, "contract_hash_mismatch");
    let jobs = bench.user().list_jobs(ListJobs::default()).await.unwrap();
    assert!(jobs.items.is_empty());
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_a_second_time_changes_nothing() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let cancel = CancelJob {
        job,
        reason: "no longer wanted".to_owned(),
    };
    let cancelled = bench.user().cancel(cancel.clone()).await.unwrap();
    assert_eq!(cancelled.state.status(), JobStatus::Cancelled);
    assert_eq!(bench.user().cancel(cancel).await.unwrap(), cancelled);
}

#[tokio::test]
async fn a_blocked_job_goes_on_and_a_failed_one_is_repeated_by_a_new_job_with_the_same_contract() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    assert_eq!(
        run_to(&bench, job, RunOutcome::Blocked).await,
        JobStatus::Blocked
    );
    let retried = bench.user().retry(retry(job)).await.unwrap();
    assert_eq!((retried.job_id, retried.new), (job, false));
    assert_eq!(
        run_to(&bench, job, RunOutcome::Failed).await,
        JobStatus::Failed
    );
    let repeated = bench.user().retry(retry(job)).await.unwrap();
    assert!(repeated.new);
    let (old, new) = (bench.job(job).await, bench.job(repeated.job_id).await);
    assert_eq!(new.retry_of, Some(job));
    assert_eq!(new.contract, old.contract);
    assert_eq!(new.first_attempt, 3, "the attempt number goes on");
}

#[tokio::test]
async fn a_short_id_names_one_thing_or_says_what_it_could_be() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let found = bench.user().resolve(&job.short()).await.unwrap();
    assert_eq!(found, JobRef::Job(job));
    let unknown = bench.user().resolve("ffffffff").await.unwrap_err();
    assert_eq!(unknown.code, "not_found");
}

#[tokio::test]
async fn a_retry_goes_on_from_a_run_of_the_job_and_from_no_other() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let goes_on = |run| RetryJob {
        goes_on: Some(Continue {
            run,
            say: Some("mind the tests".to_owned()),
        }),
        ..retry(job)
    };
    let blocked = bench.taken(job).await;
    bench.ended(&blocked, RunOutcome::Blocked).await;
    let foreign = bench.running("another").await.run;
    let refused = bench
        .user()
        .retry(goes_on(Some(foreign)))
        .await
        .unwrap_err();
    assert_eq!(refused.code, "run_not_found");
    let retried = bench.user().retry(goes_on(None)).await.unwrap();
    assert!(!retried.new);
    let (claimed, held) = bench.claimed(job).await;
    let claimed = claimed.goes_on.unwrap();
    assert_eq!(claimed.run, blocked.run);
    assert_eq!(claimed.say.as_deref(), Some("mind the tests"));

    // A job that is over is repeated by another one, which goes on from a run of the first.
    let second = bench.started(held).await;
    let lines = bench.journal(held, second, RunOutcome::Failed);
    let append = dogwatch_api::AppendEvents {
        held,
        run: second,
        lines,
    };
    bench.runner().append_events(append).await.unwrap();
    let completion = bench.completion(held, second, RunOutcome::Failed);
    bench.runner().complete(completion).await.unwrap();
    let repeated = bench.user().retry(goes_on(None)).await.unwrap();
    assert!(repeated.new);
    let (claimed, _) = bench.claimed(repeated.job_id).await;
    assert_eq!(claimed.job.retry_of, Some(job));
    assert_eq!(claimed.goes_on.unwrap().run, second);
}

#[tokio::test]
async fn there_is_nothing_to_go_on_from_before_the_first_run_and_too_much_to_say_is_refused() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let goes_on = |say: Option<String>| RetryJob {
        goes_on: Some(Continue { run: None, say }),
        ..retry(job)
    };
    let cancel = CancelJob {
        job,
        reason: "x".to_owned(),
    };
    bench.user().cancel(cancel).await.unwrap();
    let refused = bench.user().retry(goes_on(None)).await.unwrap_err();
    assert_eq!(refused.code, "no_run");
    let repeated = bench.user().retry(retry(job)).await.unwrap().job_id;
    let running = bench.taken(repeated).await;
    bench.ended(&running, RunOutcome::Blocked).await;
    let long = RetryJob {
        job: repeated,
        ..goes_on(Some("\n".repeat(1_001)))
    };
    assert_eq!(bench.user().retry(long).await.unwrap_err().code, "too_long");
    assert_eq!(bench.job(repeated).await.state.status(), JobStatus::Blocked);
}

#[tokio::test]
async fn what_was_tried_often_enough_is_tried_again_by_people_only() {
    let bench = Bench::new();
    let mut job = bench.submitted("one").await;
    for attempt in 1..=3 {
        run_to(&bench, job, RunOutcome::Failed).await;
        let retried = bench.system().retry(retry(job)).await;
        if attempt < 3 {
            job = retried.unwrap().job_id;
        } else {
            assert_eq!(retried.unwrap_err().code, "retry_limit");
        }
    }
    let fourth = bench.user().retry(retry(job)).await.unwrap();
    assert_eq!(bench.job(fourth.job_id).await.first_attempt, 4);
}

#[tokio::test]
async fn a_repeated_retry_under_one_key_gives_one_job() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    run_to(&bench, job, RunOutcome::Failed).await;
    let keyed = RetryJob {
        idempotency_key: Some("k".to_owned()),
        ..retry(job)
    };
    let first = bench.user().retry(keyed.clone()).await.unwrap();
    assert_eq!(bench.user().retry(keyed).await.unwrap(), first);
    // A job that waits is not queued twice either.
    let again = bench.user().retry(retry(first.job_id)).await.unwrap();
    assert_eq!((again.job_id, again.new), (first.job_id, false));
    let jobs = bench.user().list_jobs(ListJobs::default()).await.unwrap();
    assert_eq!(jobs.items.len(), 2);
}

#[tokio::test]
async fn a_trace_is_kept_where_it_is_one_and_dropped_where_it_is_none() {
    let bench = Bench::new();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (given, kept) in [(trace, Some(trace)), ("nonsense\nX: y", None)] {
        let mut request = bench.request("one");
        request.trace = Some(given.to_owned());
        let job = bench.user().submit(request).await.unwrap().job_id;
        assert_eq!(bench.job(job).await.trace.as_deref(), kept);
    }
}

#[tokio::test]
async fn a_payload_for_the_agent_has_to_be_there() {
    let bench = Bench::new();
    let digest = Sha256Digest::of(b"material");
    let mut request = bench.request("one");
    request.context = Some(digest);
    let refused = bench.user().submit(request.clone()).await.unwrap_err();
    assert_eq!(refused.code, "blob_not_found");
    let user = bench.user();
    user.put_blob(digest, b"material".to_vec()).await.unwrap();
    let job = user.submit(request).await.unwrap().job_id;
    assert_eq!(bench.job(job).await.context, Some(digest));
    assert_eq!(user.blob(digest).await.unwrap(), b"material");
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_by_name() {
    let bench = Bench::new();
    let user = bench.user();
    let mut long_topic = bench.request("one");
    long_topic.topic = "t".repeat(101);
    let mut no_topic = bench.request("one");
    no_topic.topic = String::new();
    let mut control = bench.request("one");
    control.topic = "a\u{1b}[2J".to_owned();
    let mut exact_of_nothing = bench.request("one");
    exact_of_nothing.exact = true;
    let mut long_key = bench.request("one");
    long_key.idempotency_key = Some("k".repeat(256));
    for bad in [long_topic, no_topic, control, exact_of_nothing, long_key] {
        assert_eq!(user.submit(bad).await.unwrap_err().code, "request_invalid");
    }
    let listed = user.list_jobs(ListJobs::default()).await.unwrap();
    assert!(listed.items.is_empty());
}
