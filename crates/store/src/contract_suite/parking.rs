//! Runs that wait without holding a slot.

use std::time::Duration;

use dogwatch_core::ids::{MachineId, RunId};
use dogwatch_core::job::{
    DecisionEffect, JobCommand, JobState, JobStatus, Refusal, Timer, Verdict,
};
use dogwatch_core::queue::Offer;

use super::bench::Bench;
use super::commands::Held;
use crate::{JobTimer, StoreError};

async fn is_due(bench: &Bench, held: Held) -> bool {
    match bench.job(held.job).await.state {
        JobState::Parked { due, .. } => due,
        other => panic!("parked, not {other:?}"),
    }
}

fn elsewhere(bench: &Bench) -> Offer {
    let machine = MachineId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    Offer::anything(machine)
}

/// The same run and the same attempt, under a new epoch.
pub async fn a_parked_run_goes_on_as_itself(bench: &Bench) {
    let (held, run) = bench.running().await;
    let until = bench.now().plus(Duration::from_secs(60));
    let park = bench.park_command(held, run, Some(until), None);
    bench.command(held.job, park.clone()).await.unwrap();
    // A reply that was lost is asked for again.
    assert!(
        bench
            .command(held.job, park)
            .await
            .unwrap()
            .events
            .is_empty()
    );
    assert!(!is_due(bench, held).await);
    assert!(bench.store.active_leases().await.unwrap().is_empty());
    assert_eq!(bench.store.unfinished().await.unwrap(), 1);
    assert_eq!(bench.try_claim().await, None);

    // The clock alone wakes nobody; whoever watches it is told.
    bench.clock.set(until);
    assert_eq!(bench.try_claim().await, None);
    let timer = JobTimer {
        job: held.job,
        timer: Timer::Resume { at: until },
    };
    assert_eq!(bench.store.wall_timers(until, 10).await.unwrap(), [timer]);
    bench
        .command(held.job, JobCommand::MakeDue {})
        .await
        .unwrap();
    assert!(is_due(bench, held).await);
    assert!(bench.store.wall_timers(until, 10).await.unwrap().is_empty());

    let again = bench.claim(held.job).await;
    assert_eq!(again.epoch, held.epoch.next());
    let another = RunId::mint(bench.clock.as_ref(), bench.entropy.as_ref());
    let error = bench
        .command(held.job, bench.start_command(again, another))
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Refused(Refusal::WrongRun)),
        "{error:?}"
    );
    bench
        .command(held.job, bench.start_command(again, run))
        .await
        .unwrap();
    let job = bench.job(held.job).await;
    assert_eq!(
        (job.runs.len(), job.state.status()),
        (1, JobStatus::Running)
    );
    let view = bench.store.run(run).await.unwrap().unwrap();
    assert_eq!(view.header, job.runs[0]);
    assert_eq!(
        (view.header.attempt, view.header.lease, view.header.epoch),
        (1, again.lease, again.epoch)
    );
    assert_eq!(bench.store.run(another).await.unwrap(), None);
}

/// Only the machine that has the workspace, and the others take what comes after.
pub async fn a_parked_run_is_its_machines_alone(bench: &Bench) {
    let job = bench.submit_with(|facts| facts.priority = 9).await;
    let held = bench.claim(job).await;
    let run = bench.start(held).await;
    bench
        .command(job, bench.park_command(held, run, None, None))
        .await
        .unwrap();
    bench.command(job, JobCommand::MakeDue {}).await.unwrap();
    let plain = bench.submit().await;
    let other = bench.try_claim_of(elsewhere(bench)).await.unwrap();
    assert_eq!(other.job, plain);
    assert_eq!(bench.try_claim_of(elsewhere(bench)).await, None);
    let later = bench.submit().await;
    // Of the same priority as before, and so in front of what was submitted since.
    bench.claim(job).await;
    bench.claim(later).await;
}

/// What it waited for may have come while it was being set aside.
pub async fn a_decision_wakes_the_run_that_waits_for_it(bench: &Bench) {
    for decided_before in [false, true] {
        let (held, run) = bench.running().await;
        let approval = bench.new_approval();
        let steps = [
            bench.park_command(held, run, None, Some(approval)),
            bench.decide_command(approval, Verdict::Approve),
        ];
        bench
            .command(held.job, bench.request_command(held, run, approval))
            .await
            .unwrap();
        let [park, decide] = steps;
        let order = if decided_before {
            [decide, park]
        } else {
            [park, decide]
        };
        for command in order {
            bench.tick();
            bench.command(held.job, command).await.unwrap();
        }
        assert!(is_due(bench, held).await);
        let again = bench.claim(held.job).await;
        bench
            .command(held.job, bench.start_command(again, run))
            .await
            .unwrap();
    }
}

/// A policy that would not let it go on leaves it where it is, and lets the next one through.
pub async fn a_refusing_policy_leaves_it_parked(bench: &Bench) {
    let (held, run) = bench.running().await;
    bench
        .command(held.job, bench.park_command(held, run, None, None))
        .await
        .unwrap();
    bench
        .command(held.job, JobCommand::MakeDue {})
        .await
        .unwrap();
    let before = bench.log(held.job).await;
    let mut command = bench.claim_command();
    let JobCommand::Claim(claim) = &mut command else {
        panic!("a claim");
    };
    claim.decision = bench.decided("job.dispatch", DecisionEffect::Deny);
    let update = bench.update(command);
    let claimed = bench
        .store
        .update_next_ready(bench.offer(), update)
        .await
        .unwrap();
    assert!(claimed.is_none());
    assert_eq!(bench.log(held.job).await, before);
    bench.claim(held.job).await;
}
