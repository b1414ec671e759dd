use std::collections::BTreeSet;

use super::*;
use crate::Sha256Digest;
use crate::event::Epoch;
use crate::failure::{Failure, FailureClass};
use crate::ids::{ApprovalId, JobId, MachineId, ProjectId, RunId, SessionId, uuid_v7};
use crate::job::{Job, JobState, ParkReason};
use crate::time::Timestamp;

const HOUR: i64 = 3_600_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn uuid(n: u8) -> uuid::Uuid {
    uuid_v7(Timestamp::EPOCH, &[n; 10])
}

fn machine(n: u8) -> MachineId {
    MachineId::from_uuid(uuid(n))
}

fn queued() -> JobState {
    JobState::Queued {
        reason: None,
        backoff_ms: None,
        since: Timestamp::EPOCH,
        goes_on: None,
    }
}

fn job(state: JobState) -> Job {
    Job {
        id: JobId::from_uuid(uuid(1)),
        project: ProjectId::from_uuid(uuid(2)),
        session: None,
        topic: "task".into(),
        title: "t".into(),
        agent: "a".into(),
        base: "0".repeat(40),
        contract: Sha256Digest::of(b""),
        priority: 0,
        not_before: None,
        deadline: None,
        max_attempts: 1,
        retry_of: None,
        first_attempt: 1,
        exact: false,
        approval: None,
        trace: None,
        context: None,
        state,
        epoch: Epoch(0),
        lease: None,
        runs: Vec::new(),
        approvals: Vec::new(),
        cancel: None,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

fn failure() -> Failure {
    Failure::new(FailureClass::Agent, "code", "stage", "reason", "next")
}

#[test]
fn every_sla_state_is_reached_by_the_clock_and_the_state_alone() {
    let mut job = job(queued());
    job.not_before = Some(at(HOUR));
    job.deadline = Some(at(4 * HOUR));
    let sla = |job: &Job, now| view(job, at(now), &[]).sla_state;
    assert_eq!(sla(&job, 0), SlaState::Scheduled);
    assert_eq!(sla(&job, HOUR), SlaState::OnTrack);
    assert_eq!(sla(&job, 3 * HOUR - 1), SlaState::OnTrack);
    assert_eq!(sla(&job, 3 * HOUR), SlaState::AtRisk);
    assert_eq!(sla(&job, 4 * HOUR), SlaState::Breached);
    job.state = JobState::Leased { goes_on: None };
    assert_eq!(sla(&job, 2 * HOUR), SlaState::InProgress);
    assert_eq!(sla(&job, 5 * HOUR), SlaState::Breached);
    job.state = JobState::Succeeded {};
    assert_eq!(sla(&job, 5 * HOUR), SlaState::Completed);
    job.state = JobState::Expired {};
    assert_eq!(sla(&job, 5 * HOUR), SlaState::Ended);
}

#[test]
fn a_scheduled_job_becomes_eligible_when_the_clock_passes() {
    let mut job = job(queued());
    job.not_before = Some(at(HOUR));
    let runners = [Offer::anything(machine(9))];
    let before = view(&job, at(HOUR - 1), &runners);
    assert!(!before.eligible);
    assert_eq!(before.queue_state, QueueState::Waiting);
    assert_eq!(
        before.waiting_reason,
        Some(WaitingReason::ScheduledForFuture)
    );
    let after = view(&job, at(HOUR), &runners);
    assert!(after.eligible);
    assert_eq!(after.queue_state, QueueState::Eligible);
    assert_eq!(after.waiting_reason, Some(WaitingReason::WaitingForRunner));
}

#[test]
fn every_state_says_where_it_is_and_why_it_waits() {
    let approval = ApprovalId::from_uuid(uuid(3));
    let run = RunId::from_uuid(uuid(4));
    let parked = |reason, due| JobState::Parked {
        run,
        machine: machine(9),
        reason,
        until: None,
        approval: None,
        due,
    };
    let backing_off = JobState::Queued {
        reason: None,
        backoff_ms: Some(5_000),
        since: Timestamp::EPOCH,
        goes_on: None,
    };
    use QueueState as Q;
    use WaitingReason as W;
    for (state, queue, reason) in [
        (queued(), Q::Eligible, Some(W::WaitingForRunner)),
        (backing_off, Q::Waiting, Some(W::Backoff)),
        (
            JobState::AwaitingApproval {
                approval,
                goes_on: None,
            },
            Q::Waiting,
            Some(W::AwaitingApproval),
        ),
        (JobState::Leased { goes_on: None }, Q::Claimed, None),
        (JobState::Running { run }, Q::Claimed, None),
        (
            parked(ParkReason::Approval, false),
            Q::Waiting,
            Some(W::ParkedForApproval),
        ),
        (
            parked(ParkReason::Limit, false),
            Q::Waiting,
            Some(W::ParkedForLimit),
        ),
        (
            parked(ParkReason::Disk, false),
            Q::Waiting,
            Some(W::ParkedForDisk),
        ),
        (
            parked(ParkReason::Disk, true),
            Q::Eligible,
            Some(W::WaitingForRunner),
        ),
        (
            JobState::Blocked { failure: failure() },
            Q::Waiting,
            Some(W::Blocked),
        ),
        (JobState::Succeeded {}, Q::Closed, None),
        (JobState::Expired {}, Q::Closed, None),
        (JobState::TimedOut { failure: failure() }, Q::Closed, None),
    ] {
        let view = view(&job(state.clone()), at(0), &[Offer::anything(machine(9))]);
        assert_eq!(view.queue_state, queue, "{state:?}");
        assert_eq!(view.waiting_reason, reason, "{state:?}");
        assert_eq!(view.eligible, queue == Q::Eligible, "{state:?}");
    }
}

#[test]
fn the_first_demand_that_is_not_met_is_named() {
    let mut job = job(queued());
    let session = SessionId::from_uuid(uuid(5));
    let owned = |archived| OfferedSession {
        id: session,
        project: job.project,
        archived,
        primary: false,
    };
    let (fresh, archived) = (owned(false), owned(true));
    let anything = Offer::anything(machine(9));
    assert_eq!(unmet(&job, &anything), None);

    let elsewhere = Offer {
        projects: Some(BTreeSet::new()),
        ..anything.clone()
    };
    assert_eq!(
        unmet(&job, &elsewhere).unwrap().code(),
        "project_not_linked"
    );
    let other_topic = Offer {
        topics: ["other".to_owned()].into(),
        ..anything.clone()
    };
    assert_eq!(
        unmet(&job, &other_topic).unwrap().code(),
        "topic_not_served"
    );
    let no_agent = Offer {
        agents: Some(BTreeSet::new()),
        ..anything.clone()
    };
    assert_eq!(unmet(&job, &no_agent).unwrap().code(), "agent_not_there");

    job.session = Some(session);
    job.exact = true;
    assert_eq!(unmet(&job, &anything).unwrap().code(), "session_elsewhere");
    let with = |session: &OfferedSession| Offer {
        sessions: vec![session.clone()],
        ..anything.clone()
    };
    assert_eq!(unmet(&job, &with(&fresh)), None);
    assert_eq!(
        unmet(&job, &with(&archived)).unwrap().code(),
        "session_elsewhere"
    );

    job.state = JobState::Parked {
        run: RunId::from_uuid(uuid(4)),
        machine: machine(8),
        reason: ParkReason::Limit,
        until: None,
        approval: None,
        due: true,
    };
    assert_eq!(unmet(&job, &with(&fresh)).unwrap().code(), "other_machine");
    let nobody = view(&job, at(0), &[with(&fresh)]);
    assert_eq!(nobody.waiting_reason, Some(WaitingReason::NoEligibleRunner));
}
