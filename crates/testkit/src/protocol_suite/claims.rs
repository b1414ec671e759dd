//! Taking jobs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dogwatch_api::{Claim, Claimed, Problem, ProblemCode};
use dogwatch_core::Clock as _;
use dogwatch_core::ids::MachineId;
use dogwatch_core::job::JobStatus;
use dogwatch_core::queue::Offer;
use tokio::time::timeout;

use super::bench::{Bench, held};

/// Nothing that is waited for takes longer, unless it never comes.
const IN_TIME: Duration = Duration::from_secs(20);

/// A runner says what it has before it takes anything; one that is too old is sent away.
pub async fn a_runner_introduces_itself(bench: &Bench) {
    let synced = bench
        .runner
        .sync(bench.sync_request(Offer::anything(bench.machine)))
        .await
        .unwrap();
    assert_eq!(synced.protocol, dogwatch_api::RUNNER_PROTOCOL);
    assert!(synced.lease_heartbeat_ms < synced.lease_ttl_ms);
    assert!(synced.lease_margin_ms < synced.lease_ttl_ms);
    let mut old = bench.sync_request(Offer::anything(bench.machine));
    old.protocol = 0;
    let problem = bench.runner.sync(old).await.unwrap_err();
    assert_eq!(problem.code, "protocol_too_old");
    let runners = bench.user.list_runners().await.unwrap().items;
    let names: Vec<_> = runners
        .iter()
        .map(|view| (view.runner.offer.machine, view.runner.name.as_str()))
        .collect();
    assert_eq!(names, [(bench.machine, "bench")]);
}

/// A lost reply asked for again is the same reply, and takes nothing more.
pub async fn a_claim_asked_again_gets_the_same_leases(bench: &Bench) {
    for number in 0..3 {
        bench.queued(&format!("task {number}")).await;
    }
    let request = bench.claim(None, 2);
    let first = bench.runner.claim(request.clone()).await.unwrap();
    assert_eq!(first.jobs.len(), 2);
    for _ in 0..3 {
        let again = bench.runner.claim(request.clone()).await.unwrap();
        let leases = |claimed: &Claimed| {
            let mut leases: Vec<_> = claimed.jobs.iter().map(held).collect();
            leases.sort_by_key(|held| held.job);
            leases
        };
        assert_eq!(leases(&again), leases(&first));
    }
    let rest = bench.runner.claim(bench.claim(None, 5)).await.unwrap();
    assert_eq!(rest.jobs.len(), 1);
    let none = bench.runner.claim(bench.claim(None, 5)).await.unwrap();
    assert!(none.jobs.is_empty());
}

/// The job, its lease, and the contract byte for byte.
pub async fn a_claim_has_all_that_a_run_needs(bench: &Bench) {
    let request = bench.submission("eins, \u{1f980}\nzwei");
    let job = bench.user.submit(request.clone()).await.unwrap().job_id;
    let (claimed, lease) = bench.leased(job).await;
    assert_eq!(claimed.contract, request.contract);
    assert_eq!(claimed.job.state.status(), JobStatus::Leased);
    assert_eq!(claimed.lease.machine, bench.machine);
    assert_eq!(lease.job, job);
    assert_eq!(claimed.goes_on, None);
    assert_eq!(
        bench.user.contract(request.contract_hash).await.unwrap(),
        request.contract
    );
}

/// Somebody else has it, or it is not ready.
pub async fn a_job_that_is_taken_is_not_given_again(bench: &Bench) {
    let job = bench.queued("task").await;
    bench.leased(job).await;
    let before = bench.job(job).await;
    let problem = bench
        .runner
        .claim(bench.claim(Some(job), 1))
        .await
        .unwrap_err();
    assert_eq!(problem.code, "wrong_state");
    assert_eq!(bench.job(job).await, before);
}

/// From before the claim came in to after it was answered, the job was somebody's.
pub async fn many_claims_at_once_get_each_job_once(bench: &Bench) {
    for number in 0..6 {
        bench.queued(&format!("task {number}")).await;
    }
    let claims: Vec<_> = (0..12)
        .map(|_| {
            let runner = Arc::clone(&bench.runner);
            let request = bench.claim(None, 1);
            tokio::spawn(async move { runner.claim(request).await.unwrap() })
        })
        .collect();
    let mut taken = Vec::new();
    for claim in claims {
        let claimed = timeout(IN_TIME, claim).await.unwrap().unwrap();
        taken.extend(claimed.jobs.into_iter().map(|claimed| claimed.job.id));
    }
    let count = taken.len();
    taken.sort();
    taken.dedup();
    assert_eq!((taken.len(), count), (6, 6));
}

/// Without waiting for the next poll.
pub async fn a_long_poll_ends_when_work_arrives(bench: &Bench) {
    let waiting = waiting_claim(bench, 50_000).await;
    let job = bench.queued("task").await;
    let claimed = timeout(IN_TIME, waiting).await.unwrap().unwrap().unwrap();
    let jobs: Vec<_> = claimed.jobs.iter().map(|claimed| claimed.job.id).collect();
    assert_eq!(jobs, [job]);
}

/// And not before.
pub async fn a_long_poll_ends_when_its_time_is_up(bench: &Bench) {
    let mut request = bench.claim(None, 1);
    request.wait_ms = 300;
    let asked = Instant::now();
    let claimed = timeout(IN_TIME, bench.runner.claim(request))
        .await
        .unwrap()
        .unwrap();
    assert!(claimed.jobs.is_empty());
    assert!(asked.elapsed() >= Duration::from_millis(300));
}

/// A server that goes away gives out no more work, and says so.
pub async fn a_drained_control_plane_gives_no_work(bench: &Bench) {
    let running = bench.run_of("running").await;
    let waiting = waiting_claim(bench, 50_000).await;
    bench.drain(true);
    let claimed = timeout(IN_TIME, waiting).await.unwrap().unwrap().unwrap();
    assert!(claimed.jobs.is_empty());
    let waiting_job = bench.queued("waiting").await;
    let claimed = bench.runner.claim(bench.claim(None, 5)).await.unwrap();
    assert!(claimed.jobs.is_empty());
    let reply = super::leases::beat(bench, &[running.lease]).await;
    assert!(reply.drain, "the runner is told");
    assert!(reply.leases[0].directive.ttl().is_some(), "and goes on");
    bench.drain(false);
    let claimed = bench.runner.claim(bench.claim(None, 5)).await.unwrap();
    assert_eq!(claimed.jobs[0].job.id, waiting_job);
}

/// A job before it started, and to anyone.
pub async fn a_released_job_is_ready_again(bench: &Bench) {
    let job = bench.queued("task").await;
    let (_, first) = bench.leased(job).await;
    let request = dogwatch_api::ReleaseJob {
        held: first,
        reason: "no room".to_owned(),
    };
    let released = bench.runner.release(request).await.unwrap();
    assert_eq!(released.state.status(), JobStatus::Queued);
    let (_, second) = bench.leased(job).await;
    assert!(second.epoch > first.epoch);
    assert_ne!(second.lease, first.lease);
}

/// By what was said at the sync.
pub async fn a_job_goes_only_to_who_can_take_it(bench: &Bench) {
    let job = bench.queued("task").await;
    let elsewhere = MachineId::mint(&bench.clock, &bench.entropy);
    let mut offer = Offer::anything(elsewhere);
    offer.topics = ["other".to_owned()].into();
    bench.runner.sync(bench.sync_request(offer)).await.unwrap();
    let mut request = bench.claim(None, 1);
    request.machine = elsewhere;
    let claimed = bench.runner.claim(request.clone()).await.unwrap();
    assert!(claimed.jobs.is_empty());
    request.job = Some(job);
    let problem = bench.runner.claim(request).await.unwrap_err();
    assert_eq!(problem.code, "topic_not_served");
    bench.leased(job).await;
}

/// Wake-ups come, and are never a grant.
pub async fn a_wakeup_says_that_there_is_work(bench: &Bench) {
    let mut wakeups = bench.runner.wakeups(bench.machine).await.unwrap();
    let mut next = async || timeout(IN_TIME, wakeups.next()).await.unwrap().unwrap();
    assert_eq!(next().await, dogwatch_api::Wakeup::Ready);
    let job = bench.queued("task").await;
    while next().await != dogwatch_api::Wakeup::JobAvailable {}
    assert_eq!(bench.status(job).await, JobStatus::Queued);
    bench.running(job).await;
    let request = dogwatch_api::CancelJob {
        job,
        reason: "changed my mind".to_owned(),
    };
    bench.user.cancel(request).await.unwrap();
    while next().await != (dogwatch_api::Wakeup::Cancel { job }) {}
}

/// Who has not the scope takes nothing.
pub async fn a_claim_needs_its_scope(bench: &Bench) {
    let job = bench.queued("task").await;
    for plane in [&bench.user, &bench.chief] {
        let problem = plane.claim(bench.claim(None, 1)).await.unwrap_err();
        assert_eq!(problem.kind, ProblemCode::Forbidden);
        assert_eq!(problem.code, "scope_missing");
    }
    assert_eq!(bench.status(job).await, JobStatus::Queued);
}

type Waiting = tokio::task::JoinHandle<Result<Claimed, Problem>>;

/// A claim that the control plane has heard.
async fn waiting_claim(bench: &Bench, wait_ms: u64) -> Waiting {
    let request = Claim {
        wait_ms,
        ..bench.claim(None, 1)
    };
    // Whoever claims was heard of, and the clock says when.
    let now = bench.clock.advance(Duration::from_secs(1));
    assert_eq!(now, bench.clock.now());
    let runner = Arc::clone(&bench.runner);
    let waiting = tokio::spawn(async move { runner.claim(request).await });
    let heard = async {
        loop {
            let runners = bench.user.list_runners().await.unwrap().items;
            let heard = |view: &dogwatch_api::RunnerView| {
                view.runner.offer.machine == bench.machine && view.seen_at == now
            };
            if runners.iter().any(heard) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(IN_TIME, heard).await.unwrap();
    waiting
}
