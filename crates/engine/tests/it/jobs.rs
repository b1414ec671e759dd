//! Jobs from submission to their end.

use dogwatch_api::{AppendEvents, CancelJob, ControlPlane, JobRef, ListJobs, RetryJob};
use dogwatch_core::job::{JobStatus, RunOutcome};

use crate::bench::Bench;

fn retry(job: dogwatch_core::ids::JobId) -> RetryJob {
    RetryJob {
        job,
        reason: "test".to_owned(),
        idempotency_key: None,
    }
}

async fn run_to(bench: &Bench, job: dogwatch_core::ids::JobId, outcome: RunOutcome) -> JobStatus {
    let (_, held) = bench.claimed(job).await;
    let run = bench.started(held).await;
    let lines = bench.journal(held, run, outcome);
    let runner = bench.runner();
    runner
        .append_events(AppendEvents { held, run, lines })
        .await
        .unwrap();
    let job = runner
        .complete(bench.completion(held, run, outcome))
        .await
        .unwrap();
    job.state.status()
}

#[tokio::test]
async fn a_job_goes_from_submission_to_success() {
    let bench = Bench::new();
    let job = bench.submitted("fix it\n\nwith care").await;
    assert_eq!(bench.user().job(job).await.unwrap().title, "fix it");
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
    let (old, new) = (
        bench.user().job(job).await.unwrap(),
        bench.user().job(repeated.job_id).await.unwrap(),
    );
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
