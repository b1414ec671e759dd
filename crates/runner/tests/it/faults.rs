//! A control plane that cannot be reached, and leases that are lost.

use std::fs;

use dogwatch_api::{ControlPlane, RevokeLease};
use dogwatch_core::Timestamp;
use dogwatch_core::job::{Assurance, JobStatus, RunClosure, RunOutcome};
use dogwatch_core::limits::LeaseLimits;
use dogwatch_runner::Ended;
use dogwatch_testkit::processes_with_env;

use crate::bench::{Bench, options, until};
use crate::faulty_plane::FaultyPlane;

fn often() -> LeaseLimits {
    LeaseLimits {
        lease_heartbeat_ms: 300,
        ..LeaseLimits::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_within_the_life_of_the_lease_changes_nothing() {
    let bench = Bench::with_limits(
        "echo before; touch \"$M/here\"; wait_for go; echo after; respond done",
        often(),
    );
    let plane = FaultyPlane::over(bench.plane());
    let job = bench.submit().await;
    let working = bench.work_over(plane.clone(), options());
    bench.met("here").await;
    plane.set_down(true);
    until("heartbeats fail", async || plane.failed("heartbeat") > 1).await;
    bench.touch("go");
    until("the end of the turn waits to be heard", async || {
        plane.failed("append_events") > 2
    })
    .await;
    plane.set_down(false);
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    assert_eq!(done.runs.len(), 1);
    let Some(Ended::Finished(finished)) = working.drain().await.last else {
        panic!("not finished");
    };
    assert_eq!(finished.turns, 1);
    let stdout = finished.bundle.join("turns/001/stdout");
    assert_eq!(fs::read_to_string(stdout).unwrap(), "before\nafter\n");
    bench.assert_sealed(finished.run);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_are_asked_for_again() {
    let bench = Bench::new("echo x > x; respond done");
    let plane = FaultyPlane::over(bench.plane());
    let calls = [
        "sync",
        "claim",
        "start",
        "append_events",
        "append_output",
        "complete",
        "clean_up",
    ];
    for call in calls {
        plane.lose_reply(call);
    }
    let job = bench.submit().await;
    let working = bench.work_over(plane.clone(), options());
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    assert_eq!(
        (done.runs.len(), done.epoch.0),
        (1, 1),
        "one lease, one run"
    );
    let worked = working.drain().await;
    assert_eq!(worked.jobs, 1);
    assert!(
        matches!(worked.last, Some(Ended::Finished(_))),
        "{:?}",
        worked.last
    );
    for call in [
        "sync",
        "claim",
        "start",
        "append_events",
        "complete",
        "clean_up",
    ] {
        assert_eq!(plane.failed(call), 1, "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_ends_the_agent_writes_nothing_and_the_runner_goes_on() {
    let bench = Bench::new(
        r#"
        echo left > left.txt
        touch "$M/here-$DOGWATCH_ATTEMPT"
        [ "$DOGWATCH_ATTEMPT" = 1 ] && wait_for never
        respond done"#,
    );
    let plane = FaultyPlane::over(bench.plane());
    let job = bench.submit().await;
    let working = bench.work_over(plane.clone(), options());
    bench.met("here-1").await;
    let before = bench.job(job).await;
    let run = before.runs[0].id;
    let control = working.runner.control(job).unwrap();
    let lines = bench.plane().run_lines(run, 0).await.unwrap();
    let revoke = RevokeLease {
        job,
        lease: before.active_lease().unwrap().id,
        closure: RunClosure {
            outcome: RunOutcome::Orphaned,
            failure: None,
            tree: None,
            assurance: Assurance::None,
            manifest: None,
            turns: 0,
            at: Timestamp::EPOCH,
        },
        reason: "test".to_owned(),
    };
    bench.system().revoke(revoke).await.unwrap();
    control.look_now();
    // The second attempt is the runner's own, once the first is out of its slot.
    bench.met("here-2").await;
    let alive = processes_with_env("DOGWATCH_RUN_ID", &run.to_string()).unwrap();
    assert!(alive.is_empty(), "{alive:?}");
    let done = bench.job_in(job, JobStatus::Succeeded).await;
    assert_eq!(done.runs.len(), 2);
    assert_eq!(bench.plane().run_lines(run, 0).await.unwrap(), lines);
    assert_eq!(plane.answered("complete"), 1);
    working.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_beyond_the_life_of_the_lease_ends_the_agent_by_itself() {
    let limits = LeaseLimits {
        lease_ttl_ms: 6_000,
        lease_heartbeat_ms: 500,
        lease_margin_ms: 2_000,
        ..LeaseLimits::default()
    };
    let bench = Bench::with_limits(
        r#"
        echo left > left.txt
        touch "$M/here-$DOGWATCH_ATTEMPT"
        [ "$DOGWATCH_ATTEMPT" = 1 ] && wait_for never
        respond done"#,
        limits,
    );
    let plane = FaultyPlane::over(bench.plane());
    let job = bench.submit().await;
    let working = bench.work_over(plane.clone(), options());
    bench.met("here-1").await;
    let run = bench.job(job).await.runs[0].id;
    plane.set_down(true);
    bench.job_in(job, JobStatus::Queued).await;
    // Nobody told it, and it is dead before anyone else may start.
    let alive = processes_with_env("DOGWATCH_RUN_ID", &run.to_string()).unwrap();
    assert!(alive.is_empty(), "{alive:?}");
    let lines = bench.plane().run_lines(run, 0).await.unwrap();
    plane.set_down(false);
    bench.job_in(job, JobStatus::Succeeded).await;
    assert_eq!(bench.plane().run_lines(run, 0).await.unwrap(), lines);
    // What it left is kept and sealed here, and its place is free.
    until("the lost run is put in order", async || {
        !bench.layout.work(run).exists()
    })
    .await;
    bench.assert_sealed(run);
    working.drain().await;
}
