//! Taking jobs: once or for ever, one or several at a time, woken or by asking.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{CancelJob, ControlPlane};
use dogwatch_core::job::{JobStatus, RunOutcome};
use dogwatch_runner::{Ended, Mode, Stop, Transport, WorkOptions};

use crate::bench::{Bench, options, until};
use crate::faulty_plane::FaultyPlane;

const DONE: &str = "echo made > made.txt; respond done";

fn once() -> WorkOptions {
    WorkOptions {
        mode: Mode::Once,
        ..options()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_does_one_job_and_says_when_there_is_none() {
    let bench = Bench::new(DONE);
    let (first, second) = (bench.submit().await, bench.submit().await);
    let worked = bench
        .work_over(Arc::new(bench.plane()), once())
        .ended()
        .await;
    assert_eq!(worked.jobs, 1);
    let Some(Ended::Finished(finished)) = worked.last else {
        panic!("not finished: {:?}", worked.last);
    };
    assert_eq!(finished.outcome, RunOutcome::Succeeded);
    bench.assert_sealed(finished.run);
    let tree = finished.tree.unwrap();
    assert_eq!(bench.file_in(&tree, "made.txt").as_deref(), Some("made\n"));
    let mut left: Vec<_> = [bench.job(first).await, bench.job(second).await].into();
    left.retain(|job| job.state.status() == JobStatus::Queued);
    assert_eq!(left.len(), 1);

    bench
        .work_over(Arc::new(bench.plane()), once())
        .ended()
        .await;
    let none = bench
        .work_over(Arc::new(bench.plane()), once())
        .ended()
        .await;
    assert_eq!(none.jobs, 0);
    assert!(none.last.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_slots_run_two_jobs_at_once() {
    // Neither ends before the other has begun.
    let bench = Bench::new(
        r#"touch "$M/here-$DOGWATCH_JOB_ID"
        n=0
        while [ "$(ls "$M" | grep -c here-)" -lt 2 ]; do sleep 0.02; n=$((n+1)); [ "$n" -lt 3000 ] || exit 9; done
        respond done"#,
    );
    let jobs = [bench.submit().await, bench.submit().await];
    let two = WorkOptions {
        slots: 2,
        ..options()
    };
    let working = bench.work_over(Arc::new(bench.plane()), two);
    for job in jobs {
        bench.job_in(job, JobStatus::Succeeded).await;
    }
    assert_eq!(working.drain().await.jobs, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_up_brings_a_job_long_before_the_next_request() {
    let bench = Bench::new(DONE);
    let plane = FaultyPlane::over(bench.plane());
    let hour = WorkOptions {
        poll_interval: Duration::from_secs(3_600),
        ..options()
    };
    let working = bench.work_over(plane.clone(), hour);
    until("it has asked in vain", async || plane.answered("claim") > 0).await;
    let job = bench.submit().await;
    bench.job_in(job, JobStatus::Succeeded).await;
    assert_eq!(working.drain().await.jobs, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_wake_ups_asking_alone_works() {
    let bench = Bench::new(DONE);
    for transport in [Transport::Auto, Transport::Poll] {
        let plane = FaultyPlane::over(bench.plane());
        plane.break_call("wakeups");
        let asking = WorkOptions {
            transport,
            ..options()
        };
        let working = bench.work_over(plane.clone(), asking);
        until("it has asked in vain", async || plane.answered("claim") > 1).await;
        let job = bench.submit().await;
        bench.job_in(job, JobStatus::Succeeded).await;
        assert_eq!(working.drain().await.jobs, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_lets_the_run_end_and_takes_nothing_more() {
    let bench = Bench::new("touch \"$M/here\"; wait_for go; respond done");
    let (first, second) = (bench.submit().await, bench.submit().await);
    let working = bench.work();
    bench.met("here").await;
    working.stop.send_replace(Stop::Drain);
    bench.touch("go");
    let worked = working.ended().await;
    assert_eq!(worked.jobs, 1);
    let states = [bench.job(first).await, bench.job(second).await].map(|job| job.state.status());
    assert!(states.contains(&JobStatus::Succeeded) && states.contains(&JobStatus::Queued));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_server_drains_its_runner() {
    let bench = Bench::new("touch \"$M/here\"; wait_for go; respond done");
    let job = bench.submit().await;
    let working = bench.work();
    bench.met("here").await;
    bench.engine.drain(true);
    working.runner.control(job).unwrap().look_now();
    bench.touch("go");
    let worked = working.ended().await;
    assert!(worked.drained);
    bench.job_in(job, JobStatus::Succeeded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_now_ends_the_agent_and_the_job_is_queued_again() {
    let bench = Bench::new("touch \"$M/here\"; wait_for never; respond done");
    let job = bench.submit().await;
    let working = bench.work();
    bench.met("here").await;
    working.stop.send_replace(Stop::Now);
    let worked = working.ended().await;
    let Some(Ended::Finished(finished)) = worked.last else {
        panic!("not finished: {:?}", worked.last);
    };
    assert_eq!(finished.outcome, RunOutcome::Stopped);
    bench.assert_sealed(finished.run);
    bench.job_in(job, JobStatus::Queued).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_the_agent_with_its_wake_up() {
    let bench = Bench::new("touch \"$M/here\"; wait_for never; respond done");
    let job = bench.submit().await;
    // The next regular heartbeat is later than the test has patience.
    let working = bench.work();
    bench.met("here").await;
    let request = CancelJob {
        job,
        reason: "enough".to_owned(),
    };
    bench.user().cancel(request).await.unwrap();
    let cancelled = bench.job_in(job, JobStatus::Cancelled).await;
    let run = cancelled.runs[0].clone();
    assert_eq!(run.closed.unwrap().outcome, RunOutcome::Stopped);
    bench.assert_sealed(run.id);
    working.drain().await;
}
