//! The job stream as a machine: random commands against the pure decision.

use dogwatch_core::Sha256Digest;
use dogwatch_core::Timestamp;
use dogwatch_core::event::Epoch;
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::{
    ClaimId, DecisionId, JobId, LeaseId, MachineId, ProjectId, RunId, uuid_v7,
};
use dogwatch_core::job::{
    Assurance, CancelJob, ClaimJob, Cleanup, CleanupState, CloseRun, Decided, DecisionEffect,
    JobCommand, JobEvent, JobStatus, JobStream, Refusal, ReleaseLease, RetryJob, RevokeLease,
    RunClosure, RunOutcome, StartFrom, StartRun, SubmitJob, Submitted, decide,
};
use proptest::prelude::*;

fn uuid(n: u8) -> uuid::Uuid {
    uuid_v7(Timestamp::EPOCH, &[n; 10])
}

fn decision(effect: DecisionEffect) -> Decided {
    Decided {
        id: DecisionId::from_uuid(uuid(1)),
        action: "job.submit".into(),
        request: Sha256Digest::of(b"request"),
        policy: "builtin:allow-all@1".into(),
        policy_digest: Sha256Digest::of(b"policy"),
        effect,
        reason: "test".into(),
    }
}

fn submit(effect: DecisionEffect, max_attempts: u32) -> JobCommand {
    JobCommand::Submit(SubmitJob {
        decision: decision(effect),
        facts: Submitted {
            job: JobId::from_uuid(uuid(2)),
            project: ProjectId::from_uuid(uuid(3)),
            session: None,
            topic: "task".into(),
            title: "t".into(),
            agent: "a".into(),
            base: "0".repeat(40),
            contract: Sha256Digest::of(b"contract"),
            priority: 0,
            not_before: None,
            deadline: None,
            max_attempts,
            retry_of: None,
            first_attempt: 1,
        },
    })
}

fn closure(outcome: RunOutcome, class: FailureClass) -> RunClosure {
    RunClosure {
        outcome,
        failure: (outcome != RunOutcome::Succeeded)
            .then(|| Failure::new(class, "code", "stage", "reason", "next")),
        tree: None,
        assurance: Assurance::None,
        manifest: None,
        turns: 1,
        at: Timestamp::EPOCH,
    }
}

/// A command with small ids, so that right, stale and foreign ones all happen.
fn command() -> impl Strategy<Value = JobCommand> {
    let outcome = prop_oneof![
        Just(RunOutcome::Succeeded),
        Just(RunOutcome::Failed),
        Just(RunOutcome::Blocked),
        Just(RunOutcome::Stopped),
        Just(RunOutcome::TimedOut),
    ];
    let class = prop_oneof![
        Just(FailureClass::Agent),
        Just(FailureClass::Input),
        Just(FailureClass::Gate),
    ];
    let effect = prop_oneof![9 => Just(DecisionEffect::Allow), 1 => Just(DecisionEffect::Deny)];
    prop_oneof![
        (effect.clone(), 1..=3_u32).prop_map(|(effect, max)| submit(effect, max)),
        (effect, 10..14_u8, 20..24_u8).prop_map(|(effect, lease, claim)| {
            JobCommand::Claim(ClaimJob {
                decision: decision(effect),
                claim: ClaimId::from_uuid(uuid(claim)),
                lease: LeaseId::from_uuid(uuid(lease)),
                machine: MachineId::from_uuid(uuid(9)),
                holder: None,
                ttl_ms: 30_000,
            })
        }),
        (10..14_u8, 0..6_u64, 30..34_u8).prop_map(|(lease, epoch, run)| {
            JobCommand::Start(StartRun {
                lease: LeaseId::from_uuid(uuid(lease)),
                epoch: Epoch(epoch),
                run: RunId::from_uuid(uuid(run)),
                session: None,
                continues: None,
                start_from: StartFrom::Base,
            })
        }),
        (10..14_u8, 0..6_u64, 30..34_u8, outcome, class).prop_map(
            |(lease, epoch, run, outcome, class)| {
                JobCommand::Close(CloseRun {
                    lease: LeaseId::from_uuid(uuid(lease)),
                    epoch: Epoch(epoch),
                    run: RunId::from_uuid(uuid(run)),
                    closure: closure(outcome, class),
                })
            }
        ),
        (10..14_u8, 0..6_u64).prop_map(|(lease, epoch)| {
            JobCommand::Release(ReleaseLease {
                lease: LeaseId::from_uuid(uuid(lease)),
                epoch: Epoch(epoch),
                reason: "drain".into(),
            })
        }),
        (10..14_u8).prop_map(|lease| {
            JobCommand::Revoke(RevokeLease {
                lease: LeaseId::from_uuid(uuid(lease)),
                closure: closure(RunOutcome::Orphaned, FailureClass::Lease),
                reason: "holder_dead".into(),
            })
        }),
        Just(JobCommand::Cancel(CancelJob {
            reason: "user".into()
        })),
        Just(JobCommand::Retry(RetryJob {
            reason: "user".into()
        })),
        (30..34_u8).prop_map(|run| JobCommand::CleanUp {
            run: RunId::from_uuid(uuid(run)),
            cleanup: Cleanup {
                state: CleanupState::Removed,
                hook_error: None,
                removal_error: None
            },
        }),
    ]
}

fn apply_all(mut stream: JobStream, events: &[JobEvent], at: Timestamp) -> JobStream {
    for event in events {
        stream = stream.apply(event, at);
    }
    stream
}

/// What a later step fills in, so that random commands get somewhere: the lease and epoch that are really active.
fn aim(stream: &JobStream, command: JobCommand, aimed: bool) -> JobCommand {
    let Some(lease) = stream
        .job
        .as_ref()
        .and_then(|job| job.active_lease())
        .filter(|_| aimed)
    else {
        return command;
    };
    match command {
        JobCommand::Start(mut start) => {
            (start.lease, start.epoch) = (lease.id, lease.epoch);
            JobCommand::Start(start)
        }
        JobCommand::Close(mut close) => {
            (close.lease, close.epoch) = (lease.id, lease.epoch);
            if let Some(run) = stream.job.as_ref().and_then(|job| job.open_run()) {
                close.run = run.id;
            }
            JobCommand::Close(close)
        }
        JobCommand::Release(mut release) => {
            (release.lease, release.epoch) = (lease.id, lease.epoch);
            JobCommand::Release(release)
        }
        JobCommand::Revoke(mut revoke) => {
            revoke.lease = lease.id;
            JobCommand::Revoke(revoke)
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_decided_event_takes_effect_and_every_move_is_legal(
        steps in prop::collection::vec((command(), any::<bool>()), 1..60)
    ) {
        let mut stream = JobStream::default();
        let mut log = Vec::new();
        for (index, (command, aimed)) in steps.into_iter().enumerate() {
            // A long step, so that delays before a retry have passed.
            let now = Timestamp::from_micros(i64::try_from(index).unwrap() * 3_600_000_000);
            let command = aim(&stream, command, aimed);
            let before = stream.clone();
            let Ok(events) = decide(&stream, &command, now) else { continue };
            for event in &events {
                let from = stream.status();
                let next = stream.clone().apply(event, now);
                if let (Some(from), Some(to)) = (from, next.status()) {
                    prop_assert!(from == to || from.may_become(to), "{from} -> {to} by {event:?}");
                    prop_assert!(!from.is_terminal() || from == to, "left {from}");
                }
                if !matches!(event, JobEvent::PolicyDecided(_)) {
                    prop_assert_ne!(&stream, &next, "{:?} changed nothing", event);
                }
                stream = next;
                log.push((event.clone(), now));
            }
            if let (Some(old), Some(new)) = (&before.job, &stream.job) {
                prop_assert!(new.epoch >= old.epoch, "an epoch went back");
                let granted = events.iter().any(|event| matches!(event, JobEvent::LeaseGranted { .. }));
                prop_assert_eq!(granted, new.epoch > old.epoch);
                prop_assert!(new.runs.iter().filter(|run| run.closed.is_none()).count() <= 1);
                prop_assert!(new.runs.iter().all(|run| run.closed.is_some()) || new.active_lease().is_some(),
                    "an open run without a lease");
                let attempts: Vec<u32> = new.runs.iter().map(|run| run.attempt).collect();
                let expected: Vec<u32> = (1..=u32::try_from(attempts.len()).unwrap()).collect();
                prop_assert_eq!(attempts, expected);
            }
        }
        let replayed = log.iter().fold(JobStream::default(), |state, (event, at)| state.apply(event, *at));
        prop_assert_eq!(replayed, stream);
    }

    #[test]
    fn events_survive_the_envelope(steps in prop::collection::vec((command(), any::<bool>()), 1..40)) {
        let mut stream = JobStream::default();
        for (index, (command, aimed)) in steps.into_iter().enumerate() {
            let now = Timestamp::from_micros(i64::try_from(index).unwrap() * 3_600_000_000);
            let command = aim(&stream, command, aimed);
            let events = decide(&stream, &command, now).unwrap_or_default();
            for event in &events {
                let (kind, data) = event.clone().into_parts();
                prop_assert!(kind.ends_with(".v1"), "{kind}");
                prop_assert_eq!(&JobEvent::from_parts(&kind, &data).unwrap(), event);
            }
            stream = apply_all(stream, &events, now);
        }
    }
}

fn running() -> (JobStream, LeaseId, Epoch, RunId) {
    let (lease, run) = (LeaseId::from_uuid(uuid(10)), RunId::from_uuid(uuid(30)));
    let mut stream = JobStream::default();
    let now = Timestamp::EPOCH;
    for command in [
        submit(DecisionEffect::Allow, 1),
        JobCommand::Claim(ClaimJob {
            decision: decision(DecisionEffect::Allow),
            claim: ClaimId::from_uuid(uuid(20)),
            lease,
            machine: MachineId::from_uuid(uuid(9)),
            holder: None,
            ttl_ms: 30_000,
        }),
        JobCommand::Start(StartRun {
            lease,
            epoch: Epoch(1),
            run,
            session: None,
            continues: None,
            start_from: StartFrom::Base,
        }),
    ] {
        let events = decide(&stream, &command, now).unwrap();
        stream = apply_all(stream, &events, now);
    }
    (stream, lease, Epoch(1), run)
}

fn close(lease: LeaseId, epoch: Epoch, run: RunId, outcome: RunOutcome) -> JobCommand {
    JobCommand::Close(CloseRun {
        lease,
        epoch,
        run,
        closure: closure(outcome, FailureClass::Agent),
    })
}

#[test]
fn every_outcome_leads_where_the_design_says() {
    for (outcome, status) in [
        (RunOutcome::Succeeded, JobStatus::Succeeded),
        (RunOutcome::Failed, JobStatus::Failed),
        (RunOutcome::Blocked, JobStatus::Blocked),
        (RunOutcome::Stopped, JobStatus::Queued),
        (RunOutcome::TimedOut, JobStatus::TimedOut),
    ] {
        let (stream, lease, epoch, run) = running();
        let events = decide(
            &stream,
            &close(lease, epoch, run, outcome),
            Timestamp::EPOCH,
        )
        .unwrap();
        let after = apply_all(stream, &events, Timestamp::EPOCH);
        assert_eq!(after.status(), Some(status), "{outcome:?}");
    }
}

#[test]
fn a_stale_epoch_changes_nothing() {
    let (stream, lease, epoch, run) = running();
    let refused = decide(
        &stream,
        &close(lease, Epoch(epoch.0 - 1), run, RunOutcome::Succeeded),
        Timestamp::EPOCH,
    );
    assert_eq!(refused, Err(Refusal::LeaseLost { current: epoch }));
}

#[test]
fn a_repeated_completion_is_answered_and_not_repeated() {
    let (stream, lease, epoch, run) = running();
    let command = close(lease, epoch, run, RunOutcome::Succeeded);
    let events = decide(&stream, &command, Timestamp::EPOCH).unwrap();
    let after = apply_all(stream, &events, Timestamp::EPOCH);
    assert_eq!(decide(&after, &command, Timestamp::EPOCH), Ok(Vec::new()));
    let other = close(lease, epoch, run, RunOutcome::Failed);
    assert!(matches!(
        decide(&after, &other, Timestamp::EPOCH),
        Err(Refusal::LeaseLost { .. })
    ));
}

#[test]
fn the_third_crash_in_a_row_is_the_last() {
    let mut stream = JobStream::default();
    let now = Timestamp::EPOCH;
    let step = |stream: &mut JobStream, command: JobCommand| {
        let events = decide(stream, &command, now).unwrap();
        *stream = apply_all(std::mem::take(stream), &events, now);
    };
    step(&mut stream, submit(DecisionEffect::Allow, 1));
    for n in 1..=3_u8 {
        let lease = LeaseId::from_uuid(uuid(10 + n));
        step(
            &mut stream,
            JobCommand::Claim(ClaimJob {
                decision: decision(DecisionEffect::Allow),
                claim: ClaimId::from_uuid(uuid(20 + n)),
                lease,
                machine: MachineId::from_uuid(uuid(9)),
                holder: None,
                ttl_ms: 1,
            }),
        );
        step(
            &mut stream,
            JobCommand::Start(StartRun {
                lease,
                epoch: Epoch(n.into()),
                run: RunId::from_uuid(uuid(30 + n)),
                session: None,
                continues: None,
                start_from: StartFrom::Base,
            }),
        );
        step(
            &mut stream,
            JobCommand::Revoke(RevokeLease {
                lease,
                closure: closure(RunOutcome::Orphaned, FailureClass::Lease),
                reason: "holder_dead".into(),
            }),
        );
        let expected = if n < 3 {
            JobStatus::Queued
        } else {
            JobStatus::Failed
        };
        assert_eq!(stream.status(), Some(expected), "crash {n}");
    }
}

#[test]
fn a_denied_job_exists_and_says_by_whom() {
    let events = decide(
        &JobStream::default(),
        &submit(DecisionEffect::Deny, 1),
        Timestamp::EPOCH,
    )
    .unwrap();
    assert!(
        matches!(events[0], JobEvent::PolicyDecided(_)),
        "the decision comes first"
    );
    let stream = apply_all(JobStream::default(), &events, Timestamp::EPOCH);
    assert_eq!(stream.status(), Some(JobStatus::Denied));
    let job = stream.job.unwrap();
    let failure = job.state.failure().unwrap();
    assert!(
        failure.reason.contains("builtin:allow-all@1"),
        "{failure:?}"
    );
}
