//! Leases: who may write, and who may not any more.

use std::collections::BTreeSet;

use dogwatch_api::{
    AppendEvents, CancelJob, ControlPlane, Directive, Heartbeat, HeldLease, ProblemCode,
    RevokeLease,
};
use dogwatch_core::event::Epoch;
use dogwatch_core::job::{JobStatus, RunOutcome};
use dogwatch_store::Reads;

use crate::bench::Bench;

async fn directive(bench: &Bench, held: HeldLease) -> Directive {
    let request = Heartbeat {
        machine: bench.machine,
        leases: vec![held],
    };
    let reply = bench.runner().heartbeat(request).await.unwrap();
    reply.leases[0].directive.clone()
}

#[tokio::test]
async fn a_claim_asked_again_returns_the_same_lease() {
    let bench = Bench::new();
    bench.submitted("one").await;
    bench.submitted("two").await;
    let request = bench.claim_request(None, 1);
    let first = bench.runner().claim(request.clone()).await.unwrap();
    let again = bench.runner().claim(request).await.unwrap();
    assert_eq!(first.jobs.len(), 1);
    assert_eq!(first.jobs[0].lease, again.jobs[0].lease);
}

#[tokio::test]
async fn every_job_is_granted_once() {
    let bench = Bench::new();
    for n in 0..5 {
        bench.submitted(&format!("job {n}")).await;
    }
    let mut granted = BTreeSet::new();
    for _ in 0..3 {
        let claimed = bench
            .runner()
            .claim(bench.claim_request(None, 2))
            .await
            .unwrap();
        for job in claimed.jobs {
            assert!(
                granted.insert(job.job.id),
                "{} was granted twice",
                job.job.id
            );
        }
    }
    assert_eq!(granted.len(), 5);
}

#[tokio::test]
async fn a_heartbeat_counts_and_carries_a_cancellation() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let (_, held) = bench.claimed(job).await;
    assert!(matches!(
        directive(&bench, held).await,
        Directive::Continue { .. }
    ));
    assert_eq!(bench.store.renewals(held.lease).await.unwrap(), 1);
    let cancel = CancelJob {
        job,
        reason: "enough".to_owned(),
    };
    bench.user().cancel(cancel).await.unwrap();
    let Directive::Cancel { reason, .. } = directive(&bench, held).await else {
        panic!("the runner is told");
    };
    assert_eq!(reason, "enough");
}

#[tokio::test]
async fn a_dead_holders_late_writes_change_nothing() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let (_, held) = bench.claimed(job).await;
    let run = bench.started(held).await;
    let closure = bench.completion(held, run, RunOutcome::Orphaned).closure;
    let revoke = RevokeLease {
        job,
        lease: held.lease,
        closure,
        reason: "holder_dead".to_owned(),
    };
    let recovered = bench.system().revoke(revoke).await.unwrap();
    assert_eq!(recovered.status, JobStatus::Queued);
    let before = bench.job(job).await;

    let runner = bench.runner();
    let lines = bench.journal(held, run, RunOutcome::Succeeded);
    let late = runner
        .append_events(AppendEvents { held, run, lines })
        .await
        .unwrap_err();
    assert_eq!(
        (late.kind, late.code.as_str()),
        (ProblemCode::LeaseLost, "lease_lost")
    );
    assert!(matches!(
        directive(&bench, held).await,
        Directive::Lost { .. }
    ));
    assert_eq!(bench.job(job).await, before);

    let (_, next) = bench.claimed(job).await;
    assert!(next.epoch > held.epoch);
    let stale = HeldLease {
        epoch: Epoch(next.epoch.0 - 1),
        ..next
    };
    assert!(matches!(
        directive(&bench, stale).await,
        Directive::Lost { .. }
    ));
}

#[tokio::test]
async fn a_run_is_complete_only_with_its_whole_journal() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let (_, held) = bench.claimed(job).await;
    let run = bench.started(held).await;
    let runner = bench.runner();
    let mut lines = bench.journal(held, run, RunOutcome::Succeeded);
    let last = lines.pop().unwrap();
    let append = |lines| AppendEvents { held, run, lines };
    runner.append_events(append(lines.clone())).await.unwrap();
    let completion = bench.completion(held, run, RunOutcome::Succeeded);
    let early = runner.complete(completion.clone()).await.unwrap_err();
    assert_eq!(early.code, "journal_incomplete");
    // Lines that arrived before are skipped, so a sender that is unsure sends again.
    lines.push(last);
    assert_eq!(runner.append_events(append(lines)).await.unwrap().lines, 3);
    let lie = bench.completion(held, run, RunOutcome::Failed);
    assert_eq!(
        runner.complete(lie).await.unwrap_err().code,
        "journal_incomplete"
    );
    let done = runner.complete(completion.clone()).await.unwrap();
    assert_eq!(done.state.status(), JobStatus::Succeeded);
    assert_eq!(
        runner.complete(completion).await.unwrap(),
        done,
        "a repeated report is answered"
    );
}

#[tokio::test]
async fn a_heartbeat_of_another_machine_or_about_nothing_renews_nothing() {
    let bench = Bench::new();
    let job = bench.submitted("one").await;
    let (_, held) = bench.claimed(job).await;
    let elsewhere = dogwatch_core::ids::MachineId::mint(&bench.clock, &*bench.entropy);
    let unknown = dogwatch_core::ids::JobId::mint(&bench.clock, &*bench.entropy);
    for (machine, held) in [
        (elsewhere, held),
        (
            bench.machine,
            HeldLease {
                job: unknown,
                ..held
            },
        ),
    ] {
        let request = Heartbeat {
            machine,
            leases: vec![held],
        };
        let reply = bench.runner().heartbeat(request).await.unwrap();
        assert!(matches!(reply.leases[0].directive, Directive::Lost { .. }));
    }
    assert_eq!(bench.store.renewals(held.lease).await.unwrap(), 0);
}
