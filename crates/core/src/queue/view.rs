//! The derived states of a queued thing.

use serde::{Deserialize, Serialize};

use super::constraint::{Offer, unmet};
use crate::job::{Job, JobState, JobStatus, ParkReason};
use crate::time::Timestamp;

/// How long before its deadline a job counts as at risk, in seconds.
const AT_RISK_SECONDS: i64 = 3_600;

/// Where a job is, seen from the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// It may be taken now.
    Eligible,
    /// It waits for something.
    Waiting,
    /// A runner has it.
    Claimed,
    /// It is over.
    Closed,
}

/// How a job stands against its schedule and its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlaState {
    /// Its time has not come.
    Scheduled,
    /// It waits, and there is time.
    OnTrack,
    /// It waits, and its deadline is less than an hour away.
    AtRisk,
    /// It is not over, and its deadline has passed.
    Breached,
    /// A runner works on it.
    InProgress,
    /// It succeeded.
    Completed,
    /// It is over in another way.
    Ended,
}

/// Why a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitingReason {
    /// Its schedule says later.
    ScheduledForFuture,
    /// The wait before another attempt.
    Backoff,
    /// A person has to approve its start.
    AwaitingApproval,
    /// Its run waits for a person's decision.
    ParkedForApproval,
    /// Its run waits for a provider's limit.
    ParkedForLimit,
    /// Its run waits for free space.
    ParkedForDisk,
    /// A person has to do something first; `retry` goes on.
    Blocked,
    /// No runner that is known could take it.
    NoEligibleRunner,
    /// Those that could take it are busy, or have not asked yet.
    WaitingForRunner,
}

/// What the queue says of a job. Derived, never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueView {
    /// Whether a runner may take it now.
    pub eligible: bool,
    /// Where it is.
    pub queue_state: QueueState,
    /// Why it waits, where it does.
    pub waiting_reason: Option<WaitingReason>,
    /// How it stands against schedule and deadline.
    pub sla_state: SlaState,
}

/// What the queue says of a job at an instant, given the runners there are.
pub fn view(job: &Job, now: Timestamp, runners: &[Offer]) -> QueueView {
    let status = job.state.status();
    let waits_for_time = waiting_for(job, now);
    let claimable = matches!(
        job.state,
        JobState::Queued { .. } | JobState::Parked { due: true, .. }
    );
    let eligible = claimable && waits_for_time.is_none();
    let waiting_reason = match (eligible, waits_for_time) {
        (true, _) if runners.iter().all(|runner| unmet(job, runner).is_some()) => {
            Some(WaitingReason::NoEligibleRunner)
        }
        (true, _) => Some(WaitingReason::WaitingForRunner),
        (false, reason) => reason,
    };
    let queue_state = match status {
        _ if status.is_terminal() => QueueState::Closed,
        JobStatus::Leased | JobStatus::Running => QueueState::Claimed,
        _ if eligible => QueueState::Eligible,
        _ => QueueState::Waiting,
    };
    QueueView {
        eligible,
        queue_state,
        waiting_reason,
        sla_state: sla(job, now),
    }
}

fn waiting_for(job: &Job, now: Timestamp) -> Option<WaitingReason> {
    match &job.state {
        JobState::Queued {
            backoff_ms: Some(_),
            ..
        } => Some(WaitingReason::Backoff),
        JobState::Queued { .. } if job.not_before.is_some_and(|at| at > now) => {
            Some(WaitingReason::ScheduledForFuture)
        }
        JobState::AwaitingApproval { .. } => Some(WaitingReason::AwaitingApproval),
        JobState::Parked {
            due: false, reason, ..
        } => Some(match reason {
            ParkReason::Approval => WaitingReason::ParkedForApproval,
            ParkReason::Limit => WaitingReason::ParkedForLimit,
            ParkReason::Disk => WaitingReason::ParkedForDisk,
        }),
        JobState::Blocked { .. } => Some(WaitingReason::Blocked),
        _ => None,
    }
}

fn sla(job: &Job, now: Timestamp) -> SlaState {
    let status = job.state.status();
    if status == JobStatus::Succeeded {
        return SlaState::Completed;
    }
    if status.is_terminal() {
        return SlaState::Ended;
    }
    if job.deadline.is_some_and(|at| at <= now) {
        return SlaState::Breached;
    }
    if matches!(status, JobStatus::Leased | JobStatus::Running) {
        return SlaState::InProgress;
    }
    if job.not_before.is_some_and(|at| at > now) {
        return SlaState::Scheduled;
    }
    let soon = job
        .deadline
        .is_some_and(|at| at.as_micros() - now.as_micros() <= AT_RISK_SECONDS * 1_000_000);
    if soon {
        SlaState::AtRisk
    } else {
        SlaState::OnTrack
    }
}
