//! The end of a run, and setting one aside.

use dogwatch_api::{CleanUpRun, Directive, HeldLease, ParkRun, ProblemCode};
use dogwatch_core::ids::ApprovalId;
use dogwatch_core::job::{
    Cleanup, CleanupState, JobState, JobStatus, LeaseState, ParkReason, RunOutcome,
};

use super::bench::{Bench, Held, held};
use super::leases::beat;

/// A report that was lost is sent again; it ends nothing twice.
pub async fn a_completion_repeated_changes_nothing(bench: &Bench) {
    for (outcome, status) in [
        (RunOutcome::Succeeded, JobStatus::Succeeded),
        (RunOutcome::Failed, JobStatus::Failed),
        (RunOutcome::Blocked, JobStatus::Blocked),
        (RunOutcome::TimedOut, JobStatus::TimedOut),
        (RunOutcome::Stopped, JobStatus::Queued),
    ] {
        let mut run = bench.run_of(outcome.as_str()).await;
        let after = bench.complete(&mut run, outcome).await;
        assert_eq!(after.state.status(), status);
        assert_eq!(after.lease.as_ref().unwrap().state, LeaseState::Released);
        for _ in 0..2 {
            let request = bench.completion(&run, outcome);
            let again = bench.runner.complete(request).await.unwrap();
            assert_eq!(again, after);
        }
        if outcome == RunOutcome::Stopped {
            // It is ready again, and would be in the way of the next one.
            let (_, lease) = bench.leased(run.lease.job).await;
            assert!(lease.epoch > run.lease.epoch);
        }
    }
}

/// A run is not over before its journal says so, and says the same.
pub async fn a_completion_needs_the_whole_journal(bench: &Bench) {
    let mut run = bench.run_of("task").await;
    let before = bench.job(run.lease.job).await;
    for lines in [Vec::new(), vec![run.journal.started(bench)]] {
        bench.append(&run, lines).await.unwrap();
        let request = bench.completion(&run, RunOutcome::Succeeded);
        let problem = bench.runner.complete(request).await.unwrap_err();
        assert_eq!(
            (problem.kind, problem.code.as_str()),
            (ProblemCode::Conflict, "journal_incomplete")
        );
    }
    let rest = run.journal.whole(bench, RunOutcome::Failed);
    bench.append(&run, rest).await.unwrap();
    let request = bench.completion(&run, RunOutcome::Succeeded);
    let problem = bench.runner.complete(request).await.unwrap_err();
    assert_eq!(problem.code, "journal_incomplete");
    assert_eq!(bench.job(run.lease.job).await, before);
    let request = bench.completion(&run, RunOutcome::Failed);
    bench.runner.complete(request).await.unwrap();
}

/// A runner that was away while another one took over reports in vain.
pub async fn a_completion_of_a_stale_epoch_changes_nothing(bench: &Bench) {
    let mut stale = bench.run_of("task").await;
    let lines = stale.journal.whole(bench, RunOutcome::Succeeded);
    bench.append(&stale, lines).await.unwrap();
    bench.sweep(0).await;
    bench.sweep(31).await;
    let job = stale.lease.job;
    let mut now = bench.running(job).await;
    let before = bench.job(job).await;
    let problem = bench
        .runner
        .complete(bench.completion(&stale, RunOutcome::Succeeded))
        .await
        .unwrap_err();
    assert_eq!(
        (problem.kind, problem.code.as_str()),
        (ProblemCode::LeaseLost, "lease_lost")
    );
    // Nor with the lease of now and the run of then, or the other way round.
    for held in [
        HeldLease { ..now.lease },
        HeldLease {
            epoch: stale.lease.epoch,
            ..now.lease
        },
        HeldLease {
            epoch: now.lease.epoch,
            ..stale.lease
        },
    ] {
        let mut request = bench.completion(&stale, RunOutcome::Succeeded);
        request.held = held;
        bench.runner.complete(request).await.unwrap_err();
    }
    assert_eq!(bench.job(job).await, before);
    let after = bench.complete(&mut now, RunOutcome::Failed).await;
    assert_eq!(after.state.status(), JobStatus::Failed);
}

/// After the end, and as often as it is said.
pub async fn a_clean_up_is_recorded_after_the_end(bench: &Bench) {
    let mut run = bench.run_of("task").await;
    let after = bench.complete(&mut run, RunOutcome::Succeeded).await;
    let cleanup = Cleanup {
        state: CleanupState::Removed,
        hook_error: Some("it was late".to_owned()),
        removal_error: None,
    };
    for _ in 0..2 {
        let request = CleanUpRun {
            job: run.lease.job,
            run: run.run,
            cleanup: cleanup.clone(),
        };
        let cleaned = bench.runner.clean_up(request).await.unwrap();
        assert_eq!(cleaned.run(run.run).unwrap().cleanup, cleanup);
        assert_eq!(cleaned.state, after.state);
    }
}

fn park(held: &Held, reason: ParkReason, approval: Option<ApprovalId>) -> ParkRun {
    ParkRun {
        held: held.lease,
        run: held.run,
        reason,
        until: None,
        approval,
    }
}

/// The same run goes on, under a new lease and in the same attempt, on the machine that has its workspace.
pub async fn a_parked_run_is_resumed(bench: &Bench) {
    let mut run = bench.run_of("task").await;
    let job = run.lease.job;
    let until = bench.clock.advance(std::time::Duration::from_secs(60));
    bench
        .clock
        .set(until.plus(std::time::Duration::from_secs(1)));
    let later = until.plus(std::time::Duration::from_secs(600));
    let mut request = park(&run, ParkReason::Limit, None);
    request.until = Some(later);
    let parked = bench.runner.park(request.clone()).await.unwrap();
    assert!(
        matches!(&parked.state, JobState::Parked { run: of, machine, reason: ParkReason::Limit, due: false, .. }
            if *of == run.run && *machine == bench.machine),
        "{:?}",
        parked.state
    );
    assert_eq!(
        bench.runner.park(request).await.unwrap(),
        parked,
        "a report that was lost is sent again"
    );
    let answer = beat(bench, &[run.lease]).await.leases.remove(0);
    assert!(matches!(answer.directive, Directive::Lost { .. }));

    bench.sweep(1).await;
    let claimed = bench.runner.claim(bench.claim(None, 1)).await.unwrap();
    assert!(claimed.jobs.is_empty(), "it is not time yet");
    bench.clock.set(later);
    bench.sweep(2).await;
    let mut elsewhere = bench.claim(None, 1);
    elsewhere.machine = bench.another_machine().await;
    let claimed = bench.runner.claim(elsewhere).await.unwrap();
    assert!(claimed.jobs.is_empty(), "its workspace is not there");

    let claimed = bench.runner.claim(bench.claim(None, 1)).await.unwrap();
    let lease = held(&claimed.jobs[0]);
    assert_eq!(lease.job, job);
    assert!(lease.epoch > run.lease.epoch);
    let before = bench.job(job).await;
    bench.start(lease, bench.run_id()).await.unwrap_err();
    assert_eq!(bench.job(job).await, before, "another run is refused");
    let resumed = bench.start(lease, run.run).await.unwrap();
    assert_eq!(resumed.run.attempt, 1);
    assert_ne!(resumed.token, run.token);
    let lost = run.lease;
    run.lease = lease;
    run.journal = run.journal.under(lease);
    let mut stale = bench.completion(&run, RunOutcome::Succeeded);
    stale.held = lost;
    let problem = bench.runner.complete(stale).await.unwrap_err();
    assert_eq!(problem.code, "lease_lost");
    let after = bench.complete(&mut run, RunOutcome::Succeeded).await;
    assert_eq!(after.state.status(), JobStatus::Succeeded);
    assert_eq!(after.runs.len(), 1);
}
