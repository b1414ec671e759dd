//! Every call under a lease that is not the caller's is refused as such, and changes nothing.

use dogwatch_api::{
    AppendEvents, AppendOutput, DeclareBundle, HeldLease, ListEvents, OutputStream, ParkRun,
    PostMessage, Problem, ProblemCode, ReadOutput, ReleaseJob, RequestApproval,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::event::Epoch;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{Job, ParkReason, RunOutcome};

use super::bench::{Bench, Held};

/// Everything that can be seen of a job and a run of it.
#[derive(Debug, PartialEq)]
struct Everything {
    job: Job,
    lines: Vec<Vec<u8>>,
    output: (Vec<u8>, u64),
    bundle: Option<std::collections::BTreeMap<String, Sha256Digest>>,
    events: u64,
}

async fn everything(bench: &Bench, job: JobId, run: RunId) -> Everything {
    let output = ReadOutput {
        run,
        turn: 1,
        stream: OutputStream::Stdout,
        offset: 0,
        limit: 1000,
    };
    let output = bench.user.read_output(output).await.unwrap();
    let events = ListEvents {
        job: Some(job),
        limit: Some(1000),
        ..ListEvents::default()
    };
    let events = bench.user.list_events(events).await.unwrap().items;
    Everything {
        job: bench.job(job).await,
        lines: bench.user.run_lines(run, 0).await.unwrap(),
        output: (output.bytes, output.length),
        bundle: bench.user.bundle(run).await.ok().map(|bundle| bundle.files),
        events: events.last().map_or(0, |entry| entry.event.seq),
    }
}

/// One of each call that carries a lease, each of them good but for the lease.
async fn every_call(
    bench: &Bench,
    held: HeldLease,
    run: RunId,
    line: &[u8],
) -> Vec<(&'static str, Result<(), Problem>)> {
    let manifest = Sha256Digest::of(b"{}");
    let runner = &bench.runner;
    runner.put_blob(manifest, b"{}".to_vec()).await.unwrap();
    let message = PostMessage {
        held,
        run,
        topic: "progress".to_owned(),
        text: "late".to_owned(),
    };
    let events = AppendEvents {
        held,
        run,
        lines: vec![line.to_vec()],
    };
    let output = AppendOutput {
        held,
        run,
        turn: 1,
        stream: OutputStream::Stdout,
        offset: 0,
        bytes: b"late".to_vec(),
    };
    let bundle = DeclareBundle {
        held,
        run,
        files: [("manifest.json".to_owned(), manifest)].into(),
    };
    let park = ParkRun {
        held,
        run,
        reason: ParkReason::Disk,
        until: None,
        approval: None,
    };
    let complete = dogwatch_api::CompleteRun {
        held,
        run,
        closure: bench.closure(RunOutcome::Stopped),
    };
    let release = ReleaseJob {
        held,
        reason: "late".to_owned(),
    };
    let approval = RequestApproval {
        held: Some(held),
        run,
        id: None,
        action: serde_json::json!({"late": true}),
        reason: "late".to_owned(),
        ttl_ms: None,
    };
    vec![
        (
            "start",
            runner.start(bench.start_request(held, run)).await.map(drop),
        ),
        ("messages", runner.post_message(message).await),
        ("events", runner.append_events(events).await.map(drop)),
        ("logs", runner.append_output(output).await.map(drop)),
        ("bundle", runner.declare_bundle(bundle).await),
        ("park", runner.park(park).await.map(drop)),
        ("complete", runner.complete(complete).await.map(drop)),
        ("release", runner.release(release).await.map(drop)),
        (
            "approvals",
            runner.request_approval(approval).await.map(drop),
        ),
    ]
}

/// What was just written and not sent yet.
fn unsent_line(bench: &Bench, held: &Held) -> Vec<u8> {
    held.journal
        .clone()
        .phase(bench, dogwatch_core::run::Phase::Gates)
}

async fn all_are_lost(bench: &Bench, held: HeldLease, run: RunId, line: &[u8]) {
    let before = everything(bench, held.job, run).await;
    for (call, result) in every_call(bench, held, run, line).await {
        let problem = result.expect_err(call);
        assert_eq!(
            (problem.kind, problem.code.as_str()),
            (ProblemCode::LeaseLost, "lease_lost"),
            "{call} under {held:?}: {problem:?}"
        );
        assert_eq!(
            everything(bench, held.job, run).await,
            before,
            "{call} under {held:?}"
        );
    }
}

/// A lease nobody granted, one of another job, and every epoch but the one of now.
pub async fn another_lease_writes_nothing(bench: &Bench) {
    let held = bench.run_of("task").await;
    let first_line = held.journal.clone().started(bench);
    bench.append(&held, vec![first_line]).await.unwrap();
    let other = bench.run_of("other").await;
    let line = unsent_line(bench, &held);
    let epoch = held.lease.epoch;
    for forged in [
        HeldLease {
            lease: bench.forged_lease(),
            ..held.lease
        },
        HeldLease {
            lease: other.lease.lease,
            ..held.lease
        },
        HeldLease {
            epoch: Epoch(epoch.0 + 1),
            ..held.lease
        },
        HeldLease {
            epoch: Epoch(epoch.0 - 1),
            ..held.lease
        },
        HeldLease {
            epoch: Epoch(u64::from(u32::MAX)),
            ..held.lease
        },
    ] {
        all_are_lost(bench, forged, held.run, &line).await;
    }
}

/// In every state a job can be in when its holder comes back late.
pub async fn a_lease_that_is_over_writes_nothing(bench: &Bench) {
    // Taken away, and nobody has the job.
    let held = bench.run_of("task").await;
    let line = unsent_line(bench, &held);
    bench.sweep(0).await;
    bench.sweep(31).await;
    all_are_lost(bench, held.lease, held.run, &line).await;

    // Somebody else prepares, and then runs it.
    let (_, lease) = bench.leased(held.lease.job).await;
    all_are_lost(bench, held.lease, held.run, &line).await;
    let next = bench.run_id();
    bench.start(lease, next).await.unwrap();
    all_are_lost(bench, held.lease, held.run, &line).await;
    all_are_lost(bench, held.lease, next, &line).await;

    // Given back.
    let job = bench.queued("released").await;
    let (_, released) = bench.leased(job).await;
    let request = ReleaseJob {
        held: released,
        reason: "no room".to_owned(),
    };
    bench.runner.release(request.clone()).await.unwrap();
    let before = bench.job(job).await;
    for problem in [
        bench.runner.release(request).await.unwrap_err(),
        bench.start(released, bench.run_id()).await.unwrap_err(),
    ] {
        assert_eq!(problem.code, "lease_lost");
    }
    assert_eq!(bench.job(job).await, before);
}

/// Under each end a job can have. Its own report, repeated, is the one thing that is still answered.
pub async fn nothing_is_written_after_the_end(bench: &Bench) {
    for outcome in [
        RunOutcome::Succeeded,
        RunOutcome::Failed,
        RunOutcome::TimedOut,
        RunOutcome::Blocked,
    ] {
        let mut held = bench.run_of(outcome.as_str()).await;
        let line = unsent_line(bench, &held);
        bench.complete(&mut held, outcome).await;
        let (job, run) = (held.lease.job, held.run);
        let before = everything(bench, job, run).await;
        for (call, result) in every_call(bench, held.lease, run, &line).await {
            let problem = result.expect_err(call);
            assert_eq!(problem.code, "lease_lost", "{call}");
            assert_eq!(everything(bench, job, run).await, before, "{call}");
        }
    }
}

/// A run that is set aside is nobody's until it is taken up again.
pub async fn a_parked_run_is_written_by_nobody(bench: &Bench) {
    let held = bench.run_of("task").await;
    let line = unsent_line(bench, &held);
    let request = ParkRun {
        held: held.lease,
        run: held.run,
        reason: ParkReason::Limit,
        until: None,
        approval: None,
    };
    bench.runner.park(request).await.unwrap();
    let (job, run) = (held.lease.job, held.run);
    let before = everything(bench, job, run).await;
    for (call, result) in every_call(bench, held.lease, run, &line).await {
        match call {
            // The same report once more, whatever it says it waits for.
            "park" => result.unwrap(),
            _ => {
                let problem = result.expect_err(call);
                assert_eq!(problem.code, "lease_lost", "{call}");
            }
        }
        assert_eq!(everything(bench, job, run).await, before, "{call}");
    }
}

/// The lease is good, and the run is another one.
pub async fn a_lease_writes_only_for_its_own_run(bench: &Bench) {
    let held = bench.run_of("task").await;
    let other = bench.run_of("other").await;
    let line = unsent_line(bench, &other);
    let job = held.lease.job;
    for run in [other.run, bench.run_id()] {
        let before = bench.job(job).await;
        let others = everything(bench, other.lease.job, other.run).await;
        for (call, result) in every_call(bench, held.lease, run, &line).await {
            let problem = result.expect_err(call);
            assert!(
                matches!(
                    problem.kind,
                    ProblemCode::Conflict | ProblemCode::NotFound | ProblemCode::Invalid
                ),
                "{call}: {problem:?}"
            );
            assert_eq!(bench.job(job).await, before, "{call}");
        }
        let after = everything(bench, other.lease.job, other.run).await;
        assert_eq!(after, others);
    }
}
