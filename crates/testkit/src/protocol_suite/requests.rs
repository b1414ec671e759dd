//! Asking for work: submitting, calling off, asking again.

use std::time::Duration;

use dogwatch_api::{
    CancelJob, Continue, DecideApproval, Directive, ListJobs, ParkRun, ProblemCode, ReleaseJob,
    RetryJob, Verdict,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::{ApprovalState, Job, JobStatus, ParkReason, RunOutcome};

use super::bench::{Bench, Held};
use super::leases::beat;

/// The same key is the same job, and no other request's.
pub async fn a_submission_repeated_is_the_same_job(bench: &Bench) {
    let mut request = bench.submission("task");
    request.idempotency_key = Some("key-1".to_owned());
    request.trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let first = bench.user.submit(request.clone()).await.unwrap();
    assert!(!first.replayed);
    for _ in 0..2 {
        let again = bench.user.submit(request.clone()).await.unwrap();
        assert_eq!((again.job_id, again.replayed), (first.job_id, true));
    }
    assert_eq!(bench.job(first.job_id).await.trace, request.trace);
    let mut other = bench.submission("another task");
    other.idempotency_key = Some("key-1".to_owned());
    let problem = bench.user.submit(other).await.unwrap_err();
    assert_eq!(
        (problem.kind, problem.code.as_str()),
        (ProblemCode::Conflict, "idempotency_conflict")
    );
    request.idempotency_key = None;
    let second = bench.user.submit(request).await.unwrap();
    assert_ne!(second.job_id, first.job_id);
    let jobs = bench.user.list_jobs(ListJobs::default()).await.unwrap();
    assert_eq!(jobs.items.len(), 2);
}

/// What cannot be believed makes no job.
pub async fn a_wrong_submission_makes_no_job(bench: &Bench) {
    let mut wrong_hash = bench.submission("task");
    wrong_hash.contract_hash = Sha256Digest::of(b"other");
    let mut no_contract = bench.submission("task");
    no_contract.contract = b"{}".to_vec();
    no_contract.contract_hash = Sha256Digest::of(b"{}");
    let mut no_context = bench.submission("task");
    no_context.context = Some(Sha256Digest::of(b"never sent"));
    for (request, code) in [
        (wrong_hash, "contract_hash_mismatch"),
        (no_contract, "contract_invalid"),
        (no_context, "blob_not_found"),
    ] {
        let problem = bench.user.submit(request).await.unwrap_err();
        assert_eq!(problem.code, code);
    }
    let problem = bench
        .runner
        .submit(bench.submission("task"))
        .await
        .unwrap_err();
    assert_eq!(problem.code, "scope_missing");
    let jobs = bench.user.list_jobs(ListJobs::default()).await.unwrap();
    assert!(jobs.items.is_empty());
}

async fn cancel(bench: &Bench, job: JobId) -> Job {
    let request = CancelJob {
        job,
        reason: "changed my mind".to_owned(),
    };
    bench.user.cancel(request).await.unwrap()
}

/// Nobody has to be asked; asking again changes nothing.
pub async fn a_job_that_waits_is_cancelled_at_once(bench: &Bench) {
    let queued = bench.queued("queued").await;
    let awaiting = bench.awaiting("awaiting").await;
    let mut run = bench.run_of("blocked").await;
    bench.complete(&mut run, RunOutcome::Blocked).await;
    for job in [queued, awaiting, run.lease.job] {
        let cancelled = cancel(bench, job).await;
        assert_eq!(cancelled.state.status(), JobStatus::Cancelled);
        assert_eq!(cancel(bench, job).await, cancelled);
    }
    let job = bench.job(awaiting).await;
    assert_eq!(job.approvals[0].state, ApprovalState::Superseded);
    let claimed = bench.runner.claim(bench.claim(None, 9)).await.unwrap();
    assert!(claimed.jobs.is_empty());
}

/// Its runner is told, and says how it ended.
pub async fn a_job_that_is_held_is_cancelled_by_its_runner(bench: &Bench) {
    let leased = bench.queued("leased").await;
    let (_, lease) = bench.leased(leased).await;
    let asked = cancel(bench, leased).await;
    assert_eq!(asked.state.status(), JobStatus::Leased);
    assert_eq!(cancel(bench, leased).await, asked, "asking again");
    let reply = beat(bench, &[lease]).await;
    assert!(matches!(
        reply.leases[0].directive,
        Directive::Cancel { .. }
    ));
    let request = ReleaseJob {
        held: lease,
        reason: "called off".to_owned(),
    };
    let after = bench.runner.release(request).await.unwrap();
    assert_eq!(after.state.status(), JobStatus::Cancelled);

    for (outcome, status) in [
        (RunOutcome::Stopped, JobStatus::Cancelled),
        (RunOutcome::Failed, JobStatus::Cancelled),
        // It was faster.
        (RunOutcome::Succeeded, JobStatus::Succeeded),
    ] {
        let mut run = bench.run_of(outcome.as_str()).await;
        let asked = cancel(bench, run.lease.job).await;
        assert_eq!(asked.state.status(), JobStatus::Running);
        let after = bench.complete(&mut run, outcome).await;
        assert_eq!(after.state.status(), status, "{}", outcome.as_str());
    }
    // A runner that is dead ends it too.
    let run = bench.run_of("dead").await;
    cancel(bench, run.lease.job).await;
    bench.sweep(0).await;
    bench.sweep(31).await;
    assert_eq!(bench.status(run.lease.job).await, JobStatus::Cancelled);
}

async fn parked(bench: &Bench, task: &str) -> Held {
    let run = bench.run_of(task).await;
    let request = ParkRun {
        held: run.lease,
        run: run.run,
        reason: ParkReason::Disk,
        until: None,
        approval: None,
    };
    bench.runner.park(request).await.unwrap();
    run
}

/// The machine that has the run ends it in order; asking again does not wait for it.
pub async fn a_job_that_is_parked_is_cancelled(bench: &Bench) {
    let mut run = parked(bench, "in order").await;
    let asked = cancel(bench, run.lease.job).await;
    assert_eq!(asked.state.status(), JobStatus::Parked);
    let (_, lease) = bench.leased(run.lease.job).await;
    bench.start(lease, run.run).await.unwrap();
    run.lease = lease;
    run.journal = run.journal.under(lease);
    let after = bench.complete(&mut run, RunOutcome::Stopped).await;
    assert_eq!(after.state.status(), JobStatus::Cancelled);

    let run = parked(bench, "at once").await;
    cancel(bench, run.lease.job).await;
    let after = cancel(bench, run.lease.job).await;
    assert_eq!(after.state.status(), JobStatus::Cancelled);
    let closed = after.run(run.run).unwrap().closed.as_ref().unwrap();
    assert_eq!(closed.outcome, RunOutcome::Stopped);
}

/// Terminal is final.
pub async fn a_job_that_is_over_is_not_cancelled(bench: &Bench) {
    let mut over = Vec::new();
    for outcome in [
        RunOutcome::Succeeded,
        RunOutcome::Failed,
        RunOutcome::TimedOut,
    ] {
        let mut run = bench.run_of(outcome.as_str()).await;
        bench.complete(&mut run, outcome).await;
        over.push(run.lease.job);
    }
    over.push(denied(bench).await);
    over.push(expired(bench).await);
    for job in over {
        let before = bench.job(job).await;
        assert!(before.state.status().is_terminal());
        let request = CancelJob {
            job,
            reason: "too late".to_owned(),
        };
        let problem = bench.user.cancel(request).await.unwrap_err();
        assert_eq!(
            (problem.kind, problem.code.as_str()),
            (ProblemCode::Conflict, "wrong_state")
        );
        assert_eq!(bench.job(job).await, before);
    }
}

async fn denied(bench: &Bench) -> JobId {
    let job = bench.awaiting("denied").await;
    let approval = bench.job(job).await.approvals[0].id;
    let request = DecideApproval {
        approval,
        verdict: Verdict::Reject,
        note: None,
    };
    bench.chief.decide_approval(request).await.unwrap();
    assert_eq!(bench.status(job).await, JobStatus::Denied);
    job
}

async fn expired(bench: &Bench) -> JobId {
    let mut request = bench.submission("expired");
    let deadline = dogwatch_core::Clock::now(&bench.clock).plus(Duration::from_secs(60));
    request.deadline = Some(deadline);
    let job = bench.user.submit(request).await.unwrap().job_id;
    bench.clock.set(deadline.plus(Duration::from_secs(1)));
    bench.sweep(1).await;
    assert_eq!(bench.status(job).await, JobStatus::Expired);
    job
}

fn retry(job: JobId) -> RetryJob {
    RetryJob {
        job,
        reason: "once more".to_owned(),
        goes_on: None,
        idempotency_key: None,
    }
}

/// A blocked job is the same job; one that is over is repeated by another under the same contract.
pub async fn a_retry_is_another_attempt(bench: &Bench) {
    let mut run = bench.run_of("blocked").await;
    bench.complete(&mut run, RunOutcome::Blocked).await;
    let blocked = run.lease.job;
    for _ in 0..2 {
        let retried = bench.user.retry(retry(blocked)).await.unwrap();
        assert_eq!((retried.job_id, retried.new), (blocked, false));
        assert_eq!(bench.status(blocked).await, JobStatus::Queued);
    }
    let next = bench.running(blocked).await;
    assert_eq!(bench.job(blocked).await.run(next.run).unwrap().attempt, 2);
    let before = bench.job(blocked).await;
    let problem = bench.user.retry(retry(blocked)).await.unwrap_err();
    assert_eq!(problem.code, "wrong_state");
    assert_eq!(bench.job(blocked).await, before);

    let mut run = bench.run_of("failed").await;
    let failed = bench.complete(&mut run, RunOutcome::Failed).await;
    let mut request = retry(failed.id);
    request.idempotency_key = Some("retry-1".to_owned());
    let first = bench.user.retry(request.clone()).await.unwrap();
    assert!(first.new && first.job_id != failed.id);
    let again = bench.user.retry(request).await.unwrap();
    assert_eq!(again.job_id, first.job_id);
    let repeated = bench.job(first.job_id).await;
    assert_eq!(repeated.retry_of, Some(failed.id));
    assert_eq!(repeated.contract, failed.contract);
    assert_eq!(repeated.first_attempt, 2);
    assert_eq!(bench.job(failed.id).await, failed, "what is over stays");
}

/// From where the last run stopped, with a word to the agent.
pub async fn a_retry_goes_on_where_the_last_run_stopped(bench: &Bench) {
    for outcome in [RunOutcome::Blocked, RunOutcome::Failed] {
        let mut run = bench.run_of(outcome.as_str()).await;
        bench.complete(&mut run, outcome).await;
        let mut request = retry(run.lease.job);
        request.goes_on = Some(Continue {
            run: None,
            say: Some("the tests are in spec/, \u{1f980}".to_owned()),
        });
        let retried = bench.user.retry(request).await.unwrap();
        let (claimed, _) = bench.leased(retried.job_id).await;
        let goes_on = claimed.goes_on.expect("it goes on");
        assert_eq!(goes_on.run, run.run);
        assert_eq!(
            goes_on.say.as_deref(),
            Some("the tests are in spec/, \u{1f980}")
        );
    }
}

/// Of another job, of none, or with more than a word.
pub async fn a_retry_goes_on_only_from_its_own_runs(bench: &Bench) {
    let mut run = bench.run_of("blocked").await;
    bench.complete(&mut run, RunOutcome::Blocked).await;
    let other = bench.run_of("other").await;
    let never = bench.queued("never started").await;
    cancel(bench, never).await;
    let goes_on = |job, of, say: Option<String>| RetryJob {
        goes_on: Some(Continue { run: of, say }),
        ..retry(job)
    };
    for (request, code) in [
        (
            goes_on(run.lease.job, Some(other.run), None),
            "run_not_found",
        ),
        (goes_on(never, None, None), "no_run"),
        (
            goes_on(run.lease.job, None, Some("x".repeat(100_000))),
            "too_long",
        ),
    ] {
        let before = bench.job(request.job).await;
        let problem = bench.user.retry(request.clone()).await.unwrap_err();
        assert_eq!(problem.code, code);
        assert_eq!(bench.job(request.job).await, before);
    }
}
