//! Runs under leases: starting, renewing, losing.

use dogwatch_api::{
    CancelJob, Directive, Heartbeat, HeartbeatReply, HeldLease, ProblemCode, RevokeLease,
};
use dogwatch_core::event::Epoch;
use dogwatch_core::job::{JobStatus, LeaseState, RunOutcome};

use super::bench::Bench;

/// One heartbeat of the bench's machine.
pub(super) async fn beat(bench: &Bench, leases: &[HeldLease]) -> HeartbeatReply {
    let request = Heartbeat {
        machine: bench.machine,
        leases: leases.to_vec(),
    };
    bench.runner.heartbeat(request).await.unwrap()
}

/// What the bench's machine is told about one lease.
async fn directive(bench: &Bench, lease: HeldLease) -> Directive {
    let mut reply = beat(bench, &[lease]).await;
    assert_eq!(reply.leases.len(), 1);
    assert_eq!(reply.leases[0].lease, lease.lease);
    reply.leases.remove(0).directive
}

/// The same run and the same token; another run under the lease is refused.
pub async fn a_start_repeated_is_the_same_run(bench: &Bench) {
    let job = bench.queued("task").await;
    let (_, lease) = bench.leased(job).await;
    let run = bench.run_id();
    let first = bench.start(lease, run).await.unwrap();
    let before = bench.job(job).await;
    for _ in 0..2 {
        let again = bench.start(lease, run).await.unwrap();
        assert_eq!(again.run, first.run);
        assert_eq!(again.token, first.token);
    }
    let problem = bench.start(lease, bench.run_id()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemCode::Conflict);
    assert_eq!(bench.job(job).await, before);
    assert_eq!(before.runs.len(), 1);
    assert_eq!(before.state.status(), JobStatus::Running);
}

/// Every lease that is named gets its own answer.
pub async fn a_heartbeat_says_to_go_on(bench: &Bench) {
    let one = bench.run_of("one").await;
    let two = bench.run_of("two").await;
    let reply = beat(bench, &[two.lease, one.lease]).await;
    let leases: Vec<_> = reply.leases.iter().map(|one| one.lease).collect();
    assert_eq!(leases, [two.lease.lease, one.lease.lease]);
    for answer in &reply.leases {
        assert!(
            matches!(answer.directive, Directive::Continue { ttl_ms } if ttl_ms > 0),
            "{answer:?}"
        );
    }
    assert!(!reply.drain);
    assert!(beat(bench, &[]).await.leases.is_empty());
}

/// With the reason that was given.
pub async fn a_heartbeat_says_that_the_job_was_called_off(bench: &Bench) {
    let held = bench.run_of("task").await;
    let request = CancelJob {
        job: held.lease.job,
        reason: "changed my mind".to_owned(),
    };
    bench.user.cancel(request).await.unwrap();
    assert!(matches!(
        directive(bench, held.lease).await,
        Directive::Cancel { reason, ttl_ms } if reason == "changed my mind" && ttl_ms > 0
    ));
}

/// Whatever made it so. The other leases of the same heartbeat are none the worse.
pub async fn a_heartbeat_says_that_a_lease_is_lost(bench: &Bench) {
    let mut over = bench.run_of("over").await;
    bench.complete(&mut over, RunOutcome::Succeeded).await;
    let alive = bench.run_of("alive").await;
    let epoch = alive.lease.epoch;
    let lost = [
        over.lease,
        HeldLease {
            lease: bench.forged_lease(),
            ..alive.lease
        },
        HeldLease {
            epoch: Epoch(epoch.0 + 1),
            ..alive.lease
        },
        HeldLease {
            epoch: Epoch(epoch.0 - 1),
            ..alive.lease
        },
        HeldLease {
            job: over.lease.job,
            ..alive.lease
        },
    ];
    let mut all = lost.to_vec();
    all.push(alive.lease);
    let reply = beat(bench, &all).await;
    for answer in &reply.leases[..lost.len()] {
        assert!(
            matches!(answer.directive, Directive::Lost { .. }),
            "{answer:?}"
        );
    }
    assert!(matches!(
        reply.leases[lost.len()].directive,
        Directive::Continue { .. }
    ));
}

/// A lease that is not renewed for its whole life is taken away; its run is closed as orphaned, and the job is taken again.
pub async fn a_lease_that_is_not_renewed_is_lost(bench: &Bench) {
    let held = bench.run_of("task").await;
    let job = held.lease.job;
    bench.sweep(0).await;
    bench.sweep(29).await;
    assert_eq!(bench.status(job).await, JobStatus::Running);
    bench.sweep(31).await;
    let after = bench.job(job).await;
    assert_eq!(after.state.status(), JobStatus::Queued);
    let lease = after.lease.as_ref().unwrap();
    assert_eq!(lease.state, LeaseState::Expired);
    let closed = after.run(held.run).unwrap().closed.as_ref().unwrap();
    assert_eq!(closed.outcome, RunOutcome::Orphaned);
    assert!(matches!(
        directive(bench, held.lease).await,
        Directive::Lost { .. }
    ));
    let (_, next) = bench.leased(job).await;
    assert!(next.epoch > held.lease.epoch);
}

/// Renewals count, and not what any clock of the runner says.
pub async fn a_lease_that_is_renewed_lives_on(bench: &Bench) {
    let held = bench.run_of("task").await;
    let job = held.lease.job;
    bench.sweep(0).await;
    for round in 1..=5 {
        directive(bench, held.lease).await;
        bench.sweep(round * 20).await;
        assert_eq!(bench.status(job).await, JobStatus::Running);
    }
    // A jump of the wall clock takes no lease.
    bench
        .clock
        .advance(std::time::Duration::from_secs(400_000_000));
    bench.sweep(105).await;
    assert_eq!(bench.status(job).await, JobStatus::Running);
    bench.sweep(200).await;
    assert_eq!(bench.status(job).await, JobStatus::Queued);
}

/// Of a holder that is known to be dead, by whoever may; never by a runner.
pub async fn a_lease_is_revoked(bench: &Bench) {
    let held = bench.run_of("task").await;
    let job = held.lease.job;
    let request = RevokeLease {
        job,
        lease: held.lease.lease,
        closure: bench.closure(RunOutcome::Orphaned),
        reason: "its machine burned down".to_owned(),
    };
    let problem = bench.runner.revoke(request.clone()).await.unwrap_err();
    assert_eq!(problem.code, "scope_missing");
    let revoked = bench.chief.revoke(request).await.unwrap();
    assert_eq!(revoked.status, JobStatus::Queued);
    let lease = bench.job(job).await.lease.unwrap();
    assert_eq!(lease.state, LeaseState::Revoked);
    assert!(matches!(
        directive(bench, held.lease).await,
        Directive::Lost { .. }
    ));
}
