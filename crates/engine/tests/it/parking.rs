//! Runs that are set aside and go on: the same run, under another lease.

use std::time::Duration;

use dogwatch_api::{
    CancelJob, Claim, ControlPlane, DecideApproval, HeldLease, ParkRun, RequestApproval, StartRun,
    Verdict,
};
use dogwatch_core::ids::{ClaimId, MachineId};
use dogwatch_core::job::{JobState, JobStatus, ParkReason, RunOutcome, StartFrom};
use serde_json::json;

use crate::bench::{Bench, Running};

fn parking(running: &Running, reason: ParkReason) -> ParkRun {
    ParkRun {
        held: running.held,
        run: running.run,
        reason,
        until: None,
        approval: None,
    }
}

async fn go_on(bench: &Bench, running: &Running) -> Running {
    let (claimed, held) = bench.claimed(running.job).await;
    assert_eq!(claimed.job.open_run().unwrap().id, running.run);
    let start = StartRun {
        held,
        run: running.run,
        session: None,
        continues: None,
        start_from: StartFrom::Base,
    };
    let started = bench.runner().start(start).await.unwrap();
    Running {
        held,
        token: started.token,
        ..running.clone()
    }
}

#[tokio::test]
async fn a_run_that_waits_for_an_approval_goes_on_as_the_same_run() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let request = RequestApproval {
        held: Some(running.held),
        run: running.run,
        id: None,
        action: json!({"tool": "deploy"}),
        reason: "it is time".to_owned(),
        ttl_ms: None,
    };
    let asked = bench.runner().request_approval(request).await.unwrap();
    let park = ParkRun {
        approval: Some(asked.approval.id),
        ..parking(&running, ParkReason::Approval)
    };
    let parked = bench.runner().park(park.clone()).await.unwrap();
    assert_eq!(parked.state.status(), JobStatus::Parked);
    assert_eq!(parked.active_lease(), None);
    assert_eq!(
        bench.runner().park(park).await.unwrap(),
        parked,
        "asked again"
    );
    let early = bench.runner().claim(bench.claim_request(None, 1)).await;
    assert!(early.unwrap().jobs.is_empty());

    let decision = DecideApproval {
        approval: asked.approval.id,
        verdict: Verdict::Approve,
        note: None,
    };
    bench.user().decide_approval(decision).await.unwrap();
    let resumed = go_on(&bench, &running).await;
    assert!(resumed.held.epoch > running.held.epoch);
    let job = bench.job(running.job).await;
    assert_eq!(job.runs.len(), 1, "it is the same attempt");
    let done = bench.ended(&resumed, RunOutcome::Succeeded).await;
    assert_eq!(done.state.status(), JobStatus::Succeeded);
}

#[tokio::test]
async fn only_the_machine_that_has_the_run_takes_it_up_again() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let park = parking(&running, ParkReason::Disk);
    let until = bench.clock.advance(Duration::from_secs(1));
    let park = ParkRun {
        until: Some(until),
        ..park
    };
    bench.runner().park(park).await.unwrap();
    let ticked = bench.engine.tick(Duration::ZERO).await.unwrap();
    assert_eq!(ticked.runs_due, 1);
    let elsewhere = Claim {
        claim_id: ClaimId::mint(&bench.clock, &*bench.entropy),
        machine: MachineId::mint(&bench.clock, &*bench.entropy),
        ..bench.claim_request(None, 1)
    };
    let taken = bench.runner().claim(elsewhere.clone()).await.unwrap();
    assert!(taken.jobs.is_empty());
    let named = Claim {
        job: Some(running.job),
        ..elsewhere
    };
    let refused = bench.runner().claim(named).await.unwrap_err();
    assert_eq!(refused.code, "other_machine");
    go_on(&bench, &running).await;
}

#[tokio::test]
async fn a_limit_that_resets_wakes_its_run_once() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let until = dogwatch_core::Clock::now(&bench.clock).plus(Duration::from_secs(3_600));
    let park = ParkRun {
        until: Some(until),
        ..parking(&running, ParkReason::Limit)
    };
    bench.runner().park(park).await.unwrap();
    let due = |second| bench.engine.tick(Duration::from_secs(second));
    assert_eq!(due(0).await.unwrap().runs_due, 0);
    bench.clock.advance(Duration::from_secs(3_599));
    assert_eq!(due(3_599).await.unwrap().runs_due, 0);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(due(3_600).await.unwrap().runs_due, 1);
    assert_eq!(due(3_601).await.unwrap().runs_due, 0);
    go_on(&bench, &running).await;
}

#[tokio::test]
async fn a_parked_run_that_is_called_off_is_taken_up_once_more_to_end_in_order() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let park = parking(&running, ParkReason::Disk);
    bench.runner().park(park).await.unwrap();
    let cancel = CancelJob {
        job: running.job,
        reason: "enough".to_owned(),
    };
    let asked = bench.user().cancel(cancel.clone()).await.unwrap();
    assert!(matches!(asked.state, JobState::Parked { due: true, .. }));
    let resumed = go_on(&bench, &running).await;
    let done = bench.ended(&resumed, RunOutcome::Stopped).await;
    assert_eq!(done.state.status(), JobStatus::Cancelled);
}

#[tokio::test]
async fn only_the_holder_parks_and_only_its_own_run() {
    let bench = Bench::new();
    let running = bench.running("one").await;
    let other = bench.running("two").await;
    let stale = HeldLease {
        epoch: dogwatch_core::event::Epoch(running.held.epoch.0 + 1),
        ..running.held
    };
    let cases = [
        (
            ParkRun {
                held: stale,
                ..parking(&running, ParkReason::Disk)
            },
            "lease_lost",
        ),
        (
            ParkRun {
                run: other.run,
                ..parking(&running, ParkReason::Disk)
            },
            "wrong_run",
        ),
    ];
    for (park, code) in cases {
        assert_eq!(bench.runner().park(park).await.unwrap_err().code, code);
    }
    let unknown = ParkRun {
        approval: Some(dogwatch_core::ids::ApprovalId::mint(
            &bench.clock,
            &*bench.entropy,
        )),
        ..parking(&running, ParkReason::Approval)
    };
    let refused = bench.runner().park(unknown).await.unwrap_err();
    assert_eq!(refused.code, "approval_not_found");
    assert_eq!(
        bench.job(running.job).await.state.status(),
        JobStatus::Running
    );
}
