//! Hints, long polls, wake-ups and draining: what makes waiting short, and never decides anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dogwatch_api::{
    AppendEvents, AppendOutput, CancelJob, Claim, ControlPlane, Heartbeat, OutputStream, Wakeup,
};
use dogwatch_core::ids::MachineId;
use dogwatch_core::job::RunOutcome;
use dogwatch_engine::Hint;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use tokio::time::timeout;

use crate::bench::Bench;

/// Longer than anything here takes, shorter than the waits that must not be waited out.
const SOON: Duration = Duration::from_secs(20);

fn heard(hints: &mut Receiver<Hint>) -> Vec<Hint> {
    let mut all = Vec::new();
    loop {
        match hints.try_recv() {
            Ok(hint) => all.push(hint),
            Err(TryRecvError::Empty) => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

fn waiting(bench: &Bench) -> Claim {
    Claim {
        wait_ms: 60_000,
        ..bench.claim_request(None, 1)
    }
}

#[tokio::test]
async fn every_commit_is_hinted_at_and_nothing_else() {
    let bench = Bench::new();
    let mut hints = bench.engine.hints();
    let job = bench.submitted("one").await;
    assert_eq!(
        heard(&mut hints),
        [Hint::Log, Hint::Job(job), Hint::JobAvailable]
    );
    let running = bench.taken(job).await;
    let started = heard(&mut hints);
    assert!(started.contains(&Hint::Job(job)) && !started.contains(&Hint::JobAvailable));
    let lines = bench.journal(running.held, running.run, RunOutcome::Succeeded);
    let append = AppendEvents {
        held: running.held,
        run: running.run,
        lines: lines[..1].to_vec(),
    };
    bench.runner().append_events(append).await.unwrap();
    assert_eq!(heard(&mut hints), [Hint::RunLines(running.run)]);
    let output = AppendOutput {
        held: running.held,
        run: running.run,
        turn: 1,
        stream: OutputStream::Stderr,
        offset: 0,
        bytes: b"x".to_vec(),
    };
    bench.runner().append_output(output).await.unwrap();
    assert_eq!(heard(&mut hints), [Hint::Output(running.run)]);
    let cancel = CancelJob {
        job,
        reason: "x".to_owned(),
    };
    bench.user().cancel(cancel.clone()).await.unwrap();
    assert!(heard(&mut hints).contains(&Hint::Cancel(job)));
    bench.user().cancel(cancel).await.unwrap();
    assert_eq!(heard(&mut hints), [], "nothing happened");
    bench.user().job(job).await.unwrap();
    assert_eq!(heard(&mut hints), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_waits_for_work_and_gets_it_when_it_comes() {
    let bench = Arc::new(Bench::new());
    let claimer = {
        let bench = bench.clone();
        tokio::spawn(async move { bench.runner().claim(waiting(&bench)).await })
    };
    let job = bench.submitted("one").await;
    let claimed = timeout(SOON, claimer).await.unwrap().unwrap().unwrap();
    assert_eq!(claimed.jobs[0].job.id, job);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_finds_what_no_hint_told_of() {
    let bench = Arc::new(Bench::new());
    let mut request = bench.request("one");
    request.not_before =
        Some(dogwatch_core::Clock::now(&bench.clock).plus(Duration::from_secs(60)));
    let job = bench.user().submit(request).await.unwrap().job_id;
    let claimer = {
        let bench = bench.clone();
        tokio::spawn(async move { bench.runner().claim(waiting(&bench)).await })
    };
    // Its time comes, and nothing is committed.
    bench.clock.advance(Duration::from_secs(60));
    let claimed = timeout(SOON, claimer).await.unwrap().unwrap().unwrap();
    assert_eq!(claimed.jobs[0].job.id, job);
}

#[tokio::test]
async fn a_claim_that_finds_nothing_ends_when_it_said() {
    let bench = Bench::new();
    let request = Claim {
        wait_ms: 50,
        ..bench.claim_request(None, 1)
    };
    let began = Instant::now();
    let claimed = timeout(SOON, bench.runner().claim(request)).await.unwrap();
    assert!(claimed.unwrap().jobs.is_empty());
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_ends_the_waits_and_hands_out_nothing() {
    let bench = Arc::new(Bench::new());
    let running = bench.running("one").await;
    let claimer = {
        let bench = bench.clone();
        tokio::spawn(async move { bench.runner().claim(waiting(&bench)).await })
    };
    bench.engine.drain(true);
    let claimed = timeout(SOON, claimer).await.unwrap().unwrap().unwrap();
    assert!(claimed.jobs.is_empty());
    let next = bench.submitted("two").await;
    let runner = bench.runner();
    let none = timeout(SOON, runner.claim(waiting(&bench))).await;
    let none = none.unwrap().unwrap();
    assert!(none.jobs.is_empty());
    // What is under way goes on, and its runner hears of it.
    let beat = Heartbeat {
        machine: bench.machine,
        leases: vec![running.held],
    };
    assert!(bench.runner().heartbeat(beat.clone()).await.unwrap().drain);
    bench.ended(&running, RunOutcome::Succeeded).await;
    bench.engine.drain(false);
    assert!(!bench.runner().heartbeat(beat).await.unwrap().drain);
    bench.taken(next).await;
}

#[tokio::test]
async fn a_runner_is_woken_for_work_and_for_what_is_its_own() {
    let bench = Bench::new();
    let elsewhere = MachineId::mint(&bench.clock, &*bench.entropy);
    let mut own = bench.runner().wakeups(bench.machine).await.unwrap();
    let mut other = bench.runner().wakeups(elsewhere).await.unwrap();
    assert_eq!(own.next().await, Some(Wakeup::Ready));
    assert_eq!(other.next().await, Some(Wakeup::Ready));
    let running = bench.running("one").await;
    assert_eq!(own.next().await, Some(Wakeup::JobAvailable));
    assert_eq!(other.next().await, Some(Wakeup::JobAvailable));
    let cancel = CancelJob {
        job: running.job,
        reason: "x".to_owned(),
    };
    bench.user().cancel(cancel).await.unwrap();
    let woken = timeout(SOON, own.next()).await.unwrap();
    assert_eq!(woken, Some(Wakeup::Cancel { job: running.job }));
    bench.submitted("two").await;
    let woken = timeout(SOON, other.next()).await.unwrap();
    assert_eq!(
        woken,
        Some(Wakeup::JobAvailable),
        "not the other's cancellation"
    );
    let refused = bench.user().wakeups(bench.machine).await.err().unwrap();
    assert_eq!(refused.code, "scope_missing");
}

#[tokio::test]
async fn who_lags_behind_looks() {
    let bench = Bench::new();
    let mut wakeups = bench.runner().wakeups(bench.machine).await.unwrap();
    assert_eq!(wakeups.next().await, Some(Wakeup::Ready));
    let running = bench.running("one").await;
    for offset in 0..1_100 {
        let output = AppendOutput {
            held: running.held,
            run: running.run,
            turn: 1,
            stream: OutputStream::Stdout,
            offset: 0,
            bytes: vec![b'x'; 1 + usize::from(offset > 0)],
        };
        bench.runner().append_output(output).await.unwrap();
    }
    let woken = timeout(SOON, wakeups.next()).await.unwrap();
    assert_eq!(woken, Some(Wakeup::JobAvailable));
}

#[tokio::test(start_paused = true)]
async fn silence_is_said_now_and_then() {
    let bench = Bench::new();
    let mut wakeups = bench.runner().wakeups(bench.machine).await.unwrap();
    assert_eq!(wakeups.next().await, Some(Wakeup::Ready));
    let began = tokio::time::Instant::now();
    assert_eq!(wakeups.next().await, Some(Wakeup::Timeout));
    assert_eq!(began.elapsed().as_secs(), 25);
}
