//! What time brings, by a steady clock that tests move by hand; the wall clock goes where it likes.

use std::time::Duration;

use dogwatch_api::{AppendEvents, ControlPlane, Directive, Heartbeat};
use dogwatch_core::job::{JobState, JobStatus, RunOutcome};
use dogwatch_core::{Clock, Timestamp};
use dogwatch_engine::Ticked;

use crate::bench::{Bench, Running};

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);

async fn tick(bench: &Bench, second: u64) -> Ticked {
    bench
        .engine
        .tick(Duration::from_secs(second))
        .await
        .unwrap()
}

async fn renew(bench: &Bench, running: &Running) -> Directive {
    let request = Heartbeat {
        machine: bench.machine,
        leases: vec![running.held],
    };
    let reply = bench.runner().heartbeat(request).await.unwrap();
    reply.leases[0].directive.clone()
}

fn back_ten_years(bench: &Bench) {
    let micros = i64::try_from(TEN_YEARS.as_micros()).unwrap();
    let now = bench.clock.now().as_micros();
    bench.clock.set(Timestamp::from_micros(now - micros));
}

#[tokio::test]
async fn a_lease_that_is_renewed_lives_and_one_that_is_not_is_taken_away() {
    let bench = Bench::new();
    let alive = bench.running("alive").await;
    let silent = bench.running("silent").await;
    for second in 0..30 {
        if second % 10 == 5 {
            renew(&bench, &alive).await;
        }
        assert_eq!(tick(&bench, second).await, Ticked::default(), "{second}");
    }
    let ticked = tick(&bench, 30).await;
    assert_eq!(ticked.leases_expired, 1);
    let job = bench.job(silent.job).await;
    assert_eq!(job.state.status(), JobStatus::Queued);
    let closed = job.runs[0].closed.as_ref().unwrap();
    assert_eq!(closed.outcome, RunOutcome::Orphaned);
    assert_eq!(closed.failure.as_ref().unwrap().code, "lease_lost");
    assert_eq!(
        bench.job(alive.job).await.state.status(),
        JobStatus::Running
    );
}

#[tokio::test]
async fn a_zombie_changes_nothing() {
    let bench = Bench::new();
    let zombie = bench.running("one").await;
    tick(&bench, 0).await;
    assert_eq!(tick(&bench, 30).await.leases_expired, 1);
    let next = bench.taken(zombie.job).await;
    assert!(next.held.epoch > zombie.held.epoch);
    let before = bench.job(zombie.job).await;

    let runner = bench.runner();
    let completion = bench.completion(zombie.held, zombie.run, RunOutcome::Succeeded);
    let late = runner.complete(completion).await.unwrap_err();
    assert_eq!(late.code, "lease_lost");
    let append = AppendEvents {
        held: zombie.held,
        run: zombie.run,
        lines: bench.journal(zombie.held, zombie.run, RunOutcome::Succeeded),
    };
    let late = runner.append_events(append).await.unwrap_err();
    assert_eq!(late.code, "lease_lost");
    assert_eq!(late.facts["epoch"], next.held.epoch.0);
    assert!(matches!(
        renew(&bench, &zombie).await,
        Directive::Lost { .. }
    ));
    assert_eq!(bench.job(zombie.job).await, before);
    let lines = bench.user().run_lines(zombie.run, 0).await.unwrap();
    assert!(lines.is_empty());
}

#[tokio::test]
async fn a_restart_watches_afresh() {
    let mut bench = Bench::new();
    let running = bench.running("one").await;
    tick(&bench, 0).await;
    assert_eq!(tick(&bench, 29).await.leases_expired, 0);
    bench.restart();
    assert_eq!(tick(&bench, 500).await.leases_expired, 0);
    assert_eq!(tick(&bench, 529).await.leases_expired, 0);
    renew(&bench, &running).await;
    assert_eq!(tick(&bench, 530).await.leases_expired, 0);
    assert_eq!(tick(&bench, 559).await.leases_expired, 0);
    assert_eq!(tick(&bench, 560).await.leases_expired, 1);
}

#[tokio::test]
async fn a_lease_without_a_run_goes_back_into_the_queue_and_a_crash_loop_ends() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    bench.claimed(job).await;
    tick(&bench, 0).await;
    tick(&bench, 30).await;
    assert_eq!(bench.job(job).await.state.status(), JobStatus::Queued);
    for attempt in 1..=3_u64 {
        bench.taken(job).await;
        tick(&bench, attempt * 100).await;
        assert_eq!(tick(&bench, attempt * 100 + 30).await.leases_expired, 1);
    }
    let JobState::Failed {
        failure,
        dead_letter: true,
    } = bench.job(job).await.state
    else {
        panic!("a job that brings down every runner must not go on for ever");
    };
    assert_eq!(failure.code, "lease_lost");
}

#[tokio::test]
async fn a_failed_attempt_waits_before_the_next_one() {
    let bench = Bench::new();
    let request = bench.request_with("one", 3);
    let job = bench.user().submit(request).await.unwrap().job_id;
    let running = bench.taken(job).await;
    bench.ended(&running, RunOutcome::Failed).await;
    let early = bench
        .runner()
        .claim(bench.claim_request(Some(job), 1))
        .await;
    assert_eq!(early.unwrap_err().code, "not_yet");
    let none = bench.runner().claim(bench.claim_request(None, 1)).await;
    assert!(none.unwrap().jobs.is_empty());
    assert_eq!(tick(&bench, 0).await.backoffs_over, 0);
    assert_eq!(tick(&bench, 4).await.backoffs_over, 0);
    assert_eq!(tick(&bench, 5).await.backoffs_over, 1);
    assert_eq!(tick(&bench, 6).await.backoffs_over, 0);
    let running = bench.taken(job).await;
    // Twice as long the next time.
    bench.ended(&running, RunOutcome::Failed).await;
    tick(&bench, 10).await;
    assert_eq!(tick(&bench, 19).await.backoffs_over, 0);
    assert_eq!(tick(&bench, 20).await.backoffs_over, 1);
}

#[tokio::test]
async fn wherever_the_wall_clock_goes_leases_and_waits_stay() {
    let bench = Bench::new();
    let request = bench.request_with("one", 2);
    let waiting = bench.user().submit(request).await.unwrap().job_id;
    let failed = bench.taken(waiting).await;
    let running = bench.running("two").await;
    tick(&bench, 0).await;
    bench.ended(&failed, RunOutcome::Failed).await;
    bench.clock.advance(TEN_YEARS);
    // The wait began after the last look, so it cannot have lasted longer than since then.
    assert_eq!(tick(&bench, 1).await, Ticked::default());
    back_ten_years(&bench);
    back_ten_years(&bench);
    assert_eq!(tick(&bench, 4).await, Ticked::default());
    assert_eq!(tick(&bench, 6).await.backoffs_over, 1);
    bench.clock.advance(TEN_YEARS);
    assert_eq!(tick(&bench, 29).await, Ticked::default());
    assert_eq!(tick(&bench, 30).await.leases_expired, 1);
    assert_eq!(
        bench.job(running.job).await.state.status(),
        JobStatus::Queued
    );
}

#[tokio::test]
async fn a_restart_does_not_start_a_wait_over() {
    let mut bench = Bench::new();
    let request = bench.request_with("one", 2);
    let job = bench.user().submit(request).await.unwrap().job_id;
    let running = bench.taken(job).await;
    bench.ended(&running, RunOutcome::Failed).await;
    bench.clock.advance(Duration::from_secs(4));
    bench.restart();
    assert_eq!(tick(&bench, 0).await.backoffs_over, 0);
    assert_eq!(tick(&bench, 1).await.backoffs_over, 1);
}

#[tokio::test]
async fn a_schedule_holds_a_job_back_and_a_deadline_takes_it_out() {
    let bench = Bench::new();
    let now = bench.clock.now();
    let mut later = bench.request("later");
    later.not_before = Some(now.plus(Duration::from_secs(60)));
    let later = bench.user().submit(later).await.unwrap().job_id;
    let mut brief = bench.request("brief");
    brief.not_before = Some(now.plus(Duration::from_secs(600)));
    brief.deadline = Some(now.plus(Duration::from_secs(60)));
    let brief = bench.user().submit(brief).await.unwrap().job_id;
    let claim = async || {
        let claimed = bench.runner().claim(bench.claim_request(None, 5)).await;
        let jobs = claimed.unwrap().jobs;
        jobs.into_iter().map(|job| job.job.id).collect::<Vec<_>>()
    };
    assert!(claim().await.is_empty());
    let named = bench
        .runner()
        .claim(bench.claim_request(Some(later), 1))
        .await;
    let named = named.unwrap_err();
    assert_eq!(named.code, "not_yet");
    assert!(named.facts.contains_key("not_before"));
    assert_eq!(tick(&bench, 0).await.jobs_expired, 0);
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(tick(&bench, 60).await.jobs_expired, 1);
    assert_eq!(tick(&bench, 61).await.jobs_expired, 0);
    assert_eq!(bench.job(brief).await.state.status(), JobStatus::Expired);
    assert_eq!(claim().await, [later]);
}

#[tokio::test]
async fn a_deadline_leaves_what_runs_alone() {
    let bench = Bench::new();
    let mut request = bench.request("one");
    request.deadline = Some(bench.clock.now().plus(Duration::from_secs(60)));
    let job = bench.user().submit(request).await.unwrap().job_id;
    let running = bench.taken(job).await;
    bench.clock.advance(Duration::from_secs(120));
    assert_eq!(tick(&bench, 0).await, Ticked::default());
    let done = bench.ended(&running, RunOutcome::Succeeded).await;
    assert_eq!(done.state.status(), JobStatus::Succeeded);
}

#[tokio::test]
async fn a_renewal_and_its_expiry_never_both_happen() {
    let bench = std::sync::Arc::new(Bench::new());
    for round in 0..20_u64 {
        let running = bench.running("one").await;
        tick(&bench, round * 100).await;
        let (heartbeat, sweep) = {
            let (one, two) = (bench.clone(), bench.clone());
            let held = running.clone();
            tokio::join!(
                tokio::spawn(async move { renew(&one, &held).await }),
                tokio::spawn(async move { tick(&two, round * 100 + 30).await }),
            )
        };
        let renewed = matches!(heartbeat.unwrap(), Directive::Continue { .. });
        let expired = sweep.unwrap().leases_expired == 1;
        assert!(renewed != expired, "renewed {renewed}, expired {expired}");
        if renewed {
            bench.ended(&running, RunOutcome::Succeeded).await;
        } else {
            let cancel = dogwatch_api::CancelJob {
                job: running.job,
                reason: "x".to_owned(),
            };
            bench.user().cancel(cancel).await.unwrap();
        }
    }
}
