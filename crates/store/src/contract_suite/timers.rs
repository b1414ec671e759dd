//! What waits for time, for whoever watches it.

use std::time::Duration;

use dogwatch_core::Timestamp;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::{JobCommand, JobStatus, RunOutcome, Timer};

use super::bench::Bench;
use crate::JobTimer;

async fn due(bench: &Bench, until: Timestamp, limit: u32) -> Vec<JobTimer> {
    bench.store.wall_timers(until, limit).await.unwrap()
}

fn deadline(job: JobId, at: Timestamp) -> JobTimer {
    JobTimer {
        job,
        timer: Timer::Deadline { at },
    }
}

/// The earliest first, and none before its time.
pub async fn deadlines_come_in_their_order(bench: &Bench) {
    let start = bench.now();
    let at = |seconds| start.plus(Duration::from_secs(seconds));
    let submit = async |seconds| {
        bench
            .submit_with(|facts| facts.deadline = Some(at(seconds)))
            .await
    };
    let third = submit(300).await;
    let first = submit(100).await;
    let second = submit(200).await;
    bench.submit().await;
    assert!(due(bench, at(99), 10).await.is_empty());
    assert_eq!(due(bench, at(100), 10).await, [deadline(first, at(100))]);
    let all = [
        deadline(first, at(100)),
        deadline(second, at(200)),
        deadline(third, at(300)),
    ];
    assert_eq!(due(bench, at(1000), 10).await, all);
    assert_eq!(due(bench, at(1000), 2).await, all[..2]);
    assert!(bench.store.steady_timers().await.unwrap().is_empty());
}

/// While it waits; a job that runs has met its deadline for starting.
pub async fn a_deadline_expires_a_job_that_waits(bench: &Bench) {
    let at = bench.now().plus(Duration::from_secs(100));
    let running = bench.submit_with(|facts| facts.deadline = Some(at)).await;
    let held = bench.claim(running).await;
    let waiting = bench.submit_with(|facts| facts.deadline = Some(at)).await;
    let early = bench
        .command(waiting, JobCommand::ExpireJob {})
        .await
        .unwrap();
    assert!(early.events.is_empty());
    bench.clock.set(at);
    assert_eq!(due(bench, at, 10).await, [deadline(waiting, at)]);
    for job in [running, waiting] {
        bench.command(job, JobCommand::ExpireJob {}).await.unwrap();
    }
    assert_eq!(bench.job(running).await.state.status(), JobStatus::Leased);
    assert_eq!(bench.job(waiting).await.state.status(), JobStatus::Expired);
    assert!(due(bench, at, 10).await.is_empty());
    assert_eq!(bench.try_claim().await, None);

    // Back in the queue, it waits again.
    bench
        .command(running, bench.release_command(held))
        .await
        .unwrap();
    assert_eq!(due(bench, at, 10).await, [deadline(running, at)]);
}

/// A parked run whose deadline passes is over, and so is its run.
pub async fn a_parked_run_expires_with_its_job(bench: &Bench) {
    let at = bench.now().plus(Duration::from_secs(100));
    let until = at.plus(Duration::from_secs(100));
    let job = bench.submit_with(|facts| facts.deadline = Some(at)).await;
    let held = bench.claim(job).await;
    let run = bench.start(held).await;
    bench
        .command(job, bench.park_command(held, run, Some(until), None))
        .await
        .unwrap();
    let resume = JobTimer {
        job,
        timer: Timer::Resume { at: until },
    };
    assert_eq!(due(bench, until, 10).await, [deadline(job, at), resume]);
    bench.clock.set(at);
    bench.command(job, JobCommand::ExpireJob {}).await.unwrap();
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Expired);
    let view = bench.store.run(run).await.unwrap().unwrap();
    assert_eq!(view.header.closed.unwrap().outcome, RunOutcome::Stopped);
    assert!(due(bench, until, 10).await.is_empty());
    assert_eq!(bench.store.unfinished().await.unwrap(), 0);
}
