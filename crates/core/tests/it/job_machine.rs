//! The job stream as a machine: random commands against the pure decision.

use dogwatch_core::Sha256Digest;
use dogwatch_core::Timestamp;
use dogwatch_core::event::{Actor, Epoch, Via};
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::{
    ApprovalId, ClaimId, DecisionId, JobId, LeaseId, MachineId, ProjectId, RunId, uuid_v7,
};
use dogwatch_core::job::{
    ApprovalKind, ApprovalState, Assurance, CancelJob, ClaimJob, Cleanup, CleanupState, CloseRun,
    DecideApproval, Decided, DecisionEffect, ExpireLease, JobCommand, JobEvent, JobState,
    JobStatus, JobStream, JudgeRun, JudgementKind, LandRun, Landed, LandedHow, ParkReason, ParkRun,
    Refusal, ReleaseLease, RequestApproval, RetryJob, RevokeLease, RunClosure, RunHeader,
    RunOutcome, RunVerdict, StartApproval, StartFrom, StartRun, SubmitJob, Submitted, Verdict,
    decide,
};
use dogwatch_core::queue::Offer;
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
            exact: false,
            approval: None,
            goes_on: None,
            trace: None,
            context: None,
        },
    })
}

fn submit_for_approval(max_attempts: u32, deadline: Option<Timestamp>) -> JobCommand {
    let JobCommand::Submit(mut command) = submit(DecisionEffect::Allow, max_attempts) else {
        unreachable!("it makes a submission");
    };
    command.facts.approval = Some(StartApproval { ttl_ms: 1_000 });
    command.facts.deadline = deadline;
    JobCommand::Submit(command)
}

fn offer() -> Offer {
    Offer::anything(MachineId::from_uuid(uuid(9)))
}

fn person() -> Actor {
    Actor::new("user:ana", Via::Cli)
}

fn landed(commit: &str) -> Landed {
    Landed {
        how: LandedHow::Branch,
        reference: "refs/heads/fix".into(),
        commit: commit.into(),
    }
}

fn closure(outcome: RunOutcome, class: FailureClass) -> RunClosure {
    RunClosure {
        outcome,
        failure: (outcome != RunOutcome::Succeeded)
            .then(|| Failure::new(class, "code", "stage", "reason", "next")),
        tree: None,
        assurance: Assurance::None,
        manifest: (outcome != RunOutcome::Orphaned).then(|| Sha256Digest::of(b"manifest")),
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
        (1..=3_u32, any::<bool>()).prop_map(|(max, soon)| {
            submit_for_approval(
                max,
                soon.then(|| Timestamp::from_micros(20 * 3_600_000_000)),
            )
        }),
        (effect, 10..14_u8, 20..24_u8).prop_map(|(effect, lease, claim)| {
            JobCommand::Claim(ClaimJob {
                decision: decision(effect),
                claim: ClaimId::from_uuid(uuid(claim)),
                lease: LeaseId::from_uuid(uuid(lease)),
                offer: offer(),
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
            reason: "user".into(),
            goes_on: None,
        })),
        Just(JobCommand::MakeDue {}),
        Just(JobCommand::ExpireJob {}),
        (10..14_u8).prop_map(|lease| JobCommand::ExpireLease(ExpireLease {
            lease: LeaseId::from_uuid(uuid(lease)),
            closure: closure(RunOutcome::Orphaned, FailureClass::Lease),
        })),
        (
            10..14_u8,
            0..6_u64,
            30..34_u8,
            any::<bool>(),
            proptest::option::of(40..44_u8)
        )
            .prop_map(|(lease, epoch, run, timed, approval)| {
                JobCommand::Park(ParkRun {
                    lease: LeaseId::from_uuid(uuid(lease)),
                    epoch: Epoch(epoch),
                    run: RunId::from_uuid(uuid(run)),
                    reason: ParkReason::Approval,
                    until: timed.then_some(Timestamp::EPOCH),
                    approval: approval.map(|id| ApprovalId::from_uuid(uuid(id))),
                })
            }),
        (10..14_u8, 0..6_u64, 30..34_u8, 40..44_u8).prop_map(|(lease, epoch, run, approval)| {
            JobCommand::RequestApproval(RequestApproval {
                lease: LeaseId::from_uuid(uuid(lease)),
                epoch: Epoch(epoch),
                run: RunId::from_uuid(uuid(run)),
                approval: ApprovalId::from_uuid(uuid(approval)),
                action: "{}".into(),
                reason: "test".into(),
                policy: Sha256Digest::of(b"policy"),
                actor: Actor::new("agent:run", Via::Mcp),
                ttl_ms: 1_000,
            })
        }),
        (40..44_u8, any::<bool>(), any::<bool>()).prop_map(|(approval, yes, asker)| {
            JobCommand::DecideApproval(DecideApproval {
                approval: ApprovalId::from_uuid(uuid(approval)),
                verdict: if yes {
                    Verdict::Approve
                } else {
                    Verdict::Reject
                },
                note: None,
                actor: Actor::new(if asker { "agent:run" } else { "user:ana" }, Via::Http),
            })
        }),
        (40..44_u8).prop_map(|approval| JobCommand::ExpireApproval {
            approval: ApprovalId::from_uuid(uuid(approval)),
        }),
        (10..14_u8, 0..6_u64, 30..34_u8).prop_map(|(lease, epoch, run)| JobCommand::Message {
            lease: LeaseId::from_uuid(uuid(lease)),
            epoch: Epoch(epoch),
            run: RunId::from_uuid(uuid(run)),
            topic: "progress".into(),
            text: "test".into(),
        }),
        (30..34_u8, any::<bool>(), any::<bool>()).prop_map(|(run, promote, allow)| {
            let effect = if allow {
                DecisionEffect::Allow
            } else {
                DecisionEffect::Deny
            };
            JobCommand::Judge(JudgeRun {
                run: RunId::from_uuid(uuid(run)),
                verdict: if promote {
                    RunVerdict::Promote(decision(effect))
                } else {
                    RunVerdict::Reject
                },
                manifest: Sha256Digest::of(b"manifest"),
                reason: None,
                actor: person(),
            })
        }),
        (30..34_u8, 0..2_u8).prop_map(|(run, commit)| JobCommand::Land(LandRun {
            run: RunId::from_uuid(uuid(run)),
            manifest: Sha256Digest::of(b"manifest"),
            landed: landed(&commit.to_string().repeat(40)),
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
    let Some(job) = stream.job.as_ref().filter(|_| aimed) else {
        return command;
    };
    // Whoever decides is meant to find something to decide.
    let pending = job.pending_approvals().next().map(|approval| approval.id);
    let command = match (command, pending) {
        (JobCommand::DecideApproval(mut decide), Some(id)) => {
            decide.approval = id;
            JobCommand::DecideApproval(decide)
        }
        (JobCommand::ExpireApproval { .. }, Some(approval)) => {
            JobCommand::ExpireApproval { approval }
        }
        (command, _) => command,
    };
    let Some(lease) = job.active_lease() else {
        return command;
    };
    let open = job.open_run().map(|run| run.id);
    match command {
        JobCommand::Park(mut park) => {
            (park.lease, park.epoch) = (lease.id, lease.epoch);
            park.run = open.unwrap_or(park.run);
            park.approval = park.approval.and(pending);
            JobCommand::Park(park)
        }
        JobCommand::RequestApproval(mut request) => {
            (request.lease, request.epoch) = (lease.id, lease.epoch);
            request.run = open.unwrap_or(request.run);
            JobCommand::RequestApproval(request)
        }
        JobCommand::Message {
            run, topic, text, ..
        } => JobCommand::Message {
            lease: lease.id,
            epoch: lease.epoch,
            run: open.unwrap_or(run),
            topic,
            text,
        },
        JobCommand::ExpireLease(mut expire) => {
            expire.lease = lease.id;
            JobCommand::ExpireLease(expire)
        }
        JobCommand::Start(mut start) => {
            (start.lease, start.epoch) = (lease.id, lease.epoch);
            // A job that was parked goes on with the run it has.
            start.run = open.unwrap_or(start.run);
            JobCommand::Start(start)
        }
        JobCommand::Close(mut close) => {
            (close.lease, close.epoch) = (lease.id, lease.epoch);
            close.run = open.unwrap_or(close.run);
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
                // A decision and a message say something and change nothing but the time.
                if !matches!(event, JobEvent::PolicyDecided(_) | JobEvent::Message { .. }) {
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
                let parked = matches!(new.state, JobState::Parked { .. });
                prop_assert!(new.runs.iter().all(|run| run.closed.is_some()) || new.active_lease().is_some() || parked,
                    "an open run without a lease that is not parked");
                if new.state.status().is_terminal() {
                    prop_assert_eq!(new.pending_approvals().count(), 0, "asked about what is over");
                    prop_assert!(new.timers().is_empty());
                }
                if matches!(new.state, JobState::AwaitingApproval { .. }) {
                    prop_assert_eq!(new.pending_approvals().count(), 1);
                }
                for approval in &new.approvals {
                    let was = old.approval(approval.id).map(|old| old.state);
                    if was != Some(approval.state) && approval.state == ApprovalState::Used {
                        prop_assert_eq!(was, Some(ApprovalState::Approved), "used without a yes");
                    }
                }
                // Nothing executes before its approval: each start of such a job has used up one of its own.
                if new.approval.is_some() && granted && !matches!(old.state, JobState::Parked { .. }) {
                    let used = |job: &dogwatch_core::job::Job| job.approvals.iter()
                        .filter(|approval| approval.kind == ApprovalKind::StartRun && approval.state == ApprovalState::Used)
                        .count();
                    prop_assert_eq!(used(new), used(old) + 1);
                }
                for run in &new.runs {
                    let promoted = |run: &RunHeader| {
                        run.judgement.as_ref().is_some_and(|said| said.kind == JudgementKind::Promote)
                    };
                    let before = old.run(run.id);
                    if promoted(run) {
                        prop_assert_eq!(run.closed.as_ref().map(|closure| closure.outcome), Some(RunOutcome::Succeeded));
                    }
                    if run.landed.is_some() {
                        prop_assert!(promoted(run), "landed what nobody wanted");
                    }
                    if let Some(landed) = before.and_then(|before| before.landed.as_ref()) {
                        prop_assert_eq!(Some(landed), run.landed.as_ref());
                    }
                }
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
            offer: offer(),
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
fn a_verdict_is_about_sealed_evidence_and_only_a_promoted_success_lands() {
    let manifest = Sha256Digest::of(b"manifest");
    let now = Timestamp::EPOCH;
    let judge = |run, verdict, manifest| {
        JobCommand::Judge(JudgeRun {
            run,
            verdict,
            manifest,
            reason: Some("looked at it".into()),
            actor: person(),
        })
    };
    let land = |run, commit: &str| {
        JobCommand::Land(LandRun {
            run,
            manifest,
            landed: landed(commit),
        })
    };
    let allow = || RunVerdict::Promote(decision(DecisionEffect::Allow));

    let (open, lease, epoch, run) = running();
    let refused = decide(&open, &judge(run, RunVerdict::Reject, manifest), now);
    assert_eq!(refused, Err(Refusal::RunNotClosed));

    let end = |outcome| {
        let events = decide(&open, &close(lease, epoch, run, outcome), now).unwrap();
        apply_all(open.clone(), &events, now)
    };
    let failed = end(RunOutcome::Failed);
    assert_eq!(
        decide(&failed, &judge(run, allow(), manifest), now),
        Err(Refusal::NotPromotable(Some(RunOutcome::Failed)))
    );
    let rejected = decide(&failed, &judge(run, RunVerdict::Reject, manifest), now).unwrap();
    assert!(matches!(rejected[..], [JobEvent::RunJudged { .. }]));

    let done = end(RunOutcome::Succeeded);
    let other = Sha256Digest::of(b"another");
    assert_eq!(
        decide(&done, &judge(run, allow(), other), now),
        Err(Refusal::OtherEvidence { sealed: manifest })
    );
    assert_eq!(
        decide(&done, &land(run, "1"), now),
        Err(Refusal::NotPromoted)
    );
    let deny = RunVerdict::Promote(decision(DecisionEffect::Deny));
    let denied = decide(&done, &judge(run, deny, manifest), now).unwrap();
    assert!(matches!(denied[..], [JobEvent::PolicyDecided(_)]));

    let step = |stream: &JobStream, command: &JobCommand| {
        let events = decide(stream, command, now).unwrap();
        apply_all(stream.clone(), &events, now)
    };
    let promoted = step(&done, &judge(run, allow(), manifest));
    assert_eq!(promoted.status(), Some(JobStatus::Succeeded));
    assert_eq!(
        decide(&promoted, &judge(run, allow(), manifest), now),
        Ok(Vec::new())
    );
    // A second thought counts until the change is in.
    let regretted = step(&promoted, &judge(run, RunVerdict::Reject, manifest));
    assert_eq!(
        decide(&regretted, &land(run, "1"), now),
        Err(Refusal::NotPromoted)
    );
    let landed = step(&promoted, &land(run, "1"));
    assert_eq!(decide(&landed, &land(run, "1"), now), Ok(Vec::new()));
    for late in [land(run, "2"), judge(run, RunVerdict::Reject, manifest)] {
        assert_eq!(decide(&landed, &late, now), Err(Refusal::AlreadyLanded));
    }

    // The runner died: there is nothing to judge by.
    let events = decide(
        &open,
        &JobCommand::Revoke(RevokeLease {
            lease,
            closure: closure(RunOutcome::Orphaned, FailureClass::Lease),
            reason: "holder_dead".into(),
        }),
        now,
    )
    .unwrap();
    let orphaned = apply_all(open.clone(), &events, now);
    assert_eq!(
        decide(&orphaned, &judge(run, RunVerdict::Reject, manifest), now),
        Err(Refusal::EvidenceIncomplete)
    );
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
                offer: offer(),
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
