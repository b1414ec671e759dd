//! The lives a job can have.

use std::time::Duration;

use dogwatch_core::job::{
    Cleanup, CleanupState, DecisionEffect, JobCommand, JobState, JobStatus, RunOutcome, SubmitJob,
    Timer,
};

use super::bench::Bench;
use super::commands::Held;
use crate::JobTimer;

async fn status(bench: &Bench, held: Held) -> JobStatus {
    bench.job(held.job).await.state.status()
}

/// Submitted, claimed, started, closed.
pub async fn a_job_succeeds(bench: &Bench) {
    let job = bench.submit().await;
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Queued);

    let held = bench.claim(job).await;
    assert_eq!(status(bench, held).await, JobStatus::Leased);
    let leases = bench.store.active_leases().await.unwrap();
    assert_eq!(leases.len(), 1);
    assert_eq!(Held::of(leases[0].0, &leases[0].1), held);

    let run = bench.start(held).await;
    assert_eq!(status(bench, held).await, JobStatus::Running);
    let view = bench.store.run(run).await.unwrap().unwrap();
    assert_eq!((view.job, view.project), (job, bench.project));
    assert_eq!((view.header.attempt, view.header.epoch), (1, held.epoch));
    assert_eq!(view.header.closed, None);

    bench.close(held, run, RunOutcome::Succeeded).await;
    assert_eq!(status(bench, held).await, JobStatus::Succeeded);
    let view = bench.store.run(run).await.unwrap().unwrap();
    assert_eq!(view.header.closed.unwrap().outcome, RunOutcome::Succeeded);
    assert!(bench.store.active_leases().await.unwrap().is_empty());
    assert_eq!(bench.try_claim().await, None);
}

/// A failure with attempts left queues the job again, and it waits until whoever counts says that it waited long enough.
pub async fn a_failed_attempt_waits_and_is_tried_again(bench: &Bench) {
    let job = bench.submit_with(|facts| facts.max_attempts = 2).await;
    let held = bench.claim(job).await;
    let run = bench.start(held).await;
    bench.close(held, run, RunOutcome::Failed).await;
    let JobState::Queued {
        backoff_ms: Some(ms),
        since,
        ..
    } = bench.job(job).await.state
    else {
        panic!("a job with attempts left is queued, for later");
    };
    assert_eq!(since, bench.now());
    let timer = JobTimer {
        job,
        timer: Timer::Backoff { ms, since },
    };
    assert_eq!(bench.store.steady_timers().await.unwrap(), [timer]);
    // The wall clock has no say in it.
    bench.clock.advance(Duration::from_millis(ms * 10));
    assert_eq!(bench.try_claim().await, None);

    bench.clock.set(since);
    bench.command(job, JobCommand::MakeDue {}).await.unwrap();
    assert!(bench.store.steady_timers().await.unwrap().is_empty());
    let again = bench.claim(job).await;
    assert!(again.epoch > held.epoch);
    let run = bench.start(again).await;
    assert_eq!(
        bench.store.run(run).await.unwrap().unwrap().header.attempt,
        2
    );
    bench.close(again, run, RunOutcome::Failed).await;
    let JobState::Failed { dead_letter, .. } = bench.job(job).await.state else {
        panic!("a job without attempts left has failed");
    };
    assert!(dead_letter);
    assert!(bench.store.steady_timers().await.unwrap().is_empty());
    assert_eq!(bench.try_claim().await, None);
}

/// Nothing runs, so nobody is asked.
pub async fn a_queued_job_is_cancelled_at_once(bench: &Bench) {
    let job = bench.submit().await;
    bench.command(job, bench.cancel_command()).await.unwrap();
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Cancelled);
    assert_eq!(bench.try_claim().await, None);
}

/// A cancel is a request to the runner; the job is cancelled when the run has stopped.
pub async fn a_running_job_is_cancelled_by_its_runner(bench: &Bench) {
    let (held, run) = bench.running().await;
    bench
        .command(held.job, bench.cancel_command())
        .await
        .unwrap();
    assert_eq!(status(bench, held).await, JobStatus::Running);
    assert!(bench.job(held.job).await.cancel.is_some());
    bench.close(held, run, RunOutcome::Stopped).await;
    assert_eq!(status(bench, held).await, JobStatus::Cancelled);
}

/// Blocked until a person asks for more.
pub async fn a_blocked_job_goes_on_when_asked(bench: &Bench) {
    let (held, run) = bench.running().await;
    bench.close(held, run, RunOutcome::Blocked).await;
    assert_eq!(status(bench, held).await, JobStatus::Blocked);
    assert_eq!(bench.try_claim().await, None);
    bench
        .command(held.job, bench.retry_command())
        .await
        .unwrap();
    let again = bench.claim(held.job).await;
    assert!(again.epoch > held.epoch);
}

/// A dead holder loses its lease; the run is orphaned and the job goes on.
pub async fn a_revoked_lease_orphans_its_run(bench: &Bench) {
    let (held, run) = bench.running().await;
    bench
        .command(held.job, bench.revoke_command(held))
        .await
        .unwrap();
    let view = bench.store.run(run).await.unwrap().unwrap();
    assert_eq!(view.header.closed.unwrap().outcome, RunOutcome::Orphaned);
    assert!(bench.store.active_leases().await.unwrap().is_empty());
    let again = bench.claim(held.job).await;
    assert!(again.epoch > held.epoch);
}

/// A job that was given back is there for the next.
pub async fn a_released_job_is_queued_again(bench: &Bench) {
    let job = bench.submit().await;
    let held = bench.claim(job).await;
    bench
        .command(job, bench.release_command(held))
        .await
        .unwrap();
    assert_eq!(status(bench, held).await, JobStatus::Queued);
    bench.claim(job).await;
}

/// A denial is stored, with the decision before it.
pub async fn a_denied_job_is_never_claimed(bench: &Bench) {
    let job = bench.new_job();
    let command = JobCommand::Submit(SubmitJob {
        decision: bench.decided("job.submit", DecisionEffect::Deny),
        facts: bench.facts(job),
    });
    let updated = bench.command(job, command).await.unwrap();
    let kinds: Vec<_> = updated
        .events
        .iter()
        .map(|event| event.envelope.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        ["policy.decided.v1", "job.submitted.v1", "job.denied.v1"]
    );
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Denied);
    assert_eq!(bench.try_claim().await, None);
}

/// Whatever comes after the end is absorbed or refused, and leaves no event.
pub async fn terminal_is_final(bench: &Bench) {
    let (held, run) = bench.running().await;
    bench.close(held, run, RunOutcome::Succeeded).await;
    let before = (bench.job(held.job).await, bench.log(held.job).await);
    let late = [
        bench.close_command(held, run, RunOutcome::Failed),
        bench.close_command(held, run, RunOutcome::Succeeded),
        bench.start_command(held, run),
        bench.release_command(held),
        bench.revoke_command(held),
        bench.cancel_command(),
        bench.retry_command(),
        bench.claim_command(),
        bench.submission(bench.facts(held.job)),
    ];
    for command in late {
        bench.tick();
        let asked = format!("{command:?}");
        if let Ok(updated) = bench.command(held.job, command).await {
            assert!(updated.events.is_empty(), "{asked}");
        }
        let after = (bench.job(held.job).await, bench.log(held.job).await);
        assert_eq!(after, before, "{asked}");
    }
}

/// The one thing a finished job still learns about its runs.
pub async fn a_clean_up_is_recorded_after_the_end(bench: &Bench) {
    let (held, run) = bench.running().await;
    bench.close(held, run, RunOutcome::Succeeded).await;
    let cleanup = Cleanup {
        state: CleanupState::Removed,
        hook_error: None,
        removal_error: None,
    };
    let command = JobCommand::CleanUp {
        run,
        cleanup: cleanup.clone(),
    };
    bench.command(held.job, command).await.unwrap();
    let view = bench.store.run(run).await.unwrap().unwrap();
    assert_eq!(view.header.cleanup, cleanup);
    assert_eq!(status(bench, held).await, JobStatus::Succeeded);
}
