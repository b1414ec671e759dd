//! The state of a job stream, folded from its events.

use serde::{Deserialize, Serialize};

use super::approval::{Approval, ApprovalState, StartApproval};
use super::event::GoOn;
use super::lease::{Lease, LeaseState};
use super::park::ParkReason;
use super::run_header::RunHeader;
use crate::canonical::Sha256Digest;
use crate::event::Epoch;
use crate::failure::Failure;
use crate::ids::{ApprovalId, JobId, LeaseId, MachineId, ProjectId, RunId, SessionId};
use crate::time::Timestamp;

/// The name of a job's state, without its data.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waiting for a runner.
    Queued,
    /// Waiting for a person before it may start.
    AwaitingApproval,
    /// A runner holds it and prepares.
    Leased,
    /// A run is under way.
    Running,
    /// A run waits for a limit, an approval or disk.
    Parked,
    /// A person has to do something first; `retry` goes on.
    Blocked,
    /// Done, and its gates passed.
    Succeeded,
    /// Not done.
    Failed,
    /// Its wall clock ran out.
    TimedOut,
    /// Called off.
    Cancelled,
    /// Refused by policy.
    Denied,
    /// Its deadline passed before it started.
    Expired,
}

impl JobStatus {
    /// Every state, for tests and documents.
    pub const ALL: [Self; 12] = [
        Self::Queued,
        Self::AwaitingApproval,
        Self::Leased,
        Self::Running,
        Self::Parked,
        Self::Blocked,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Denied,
        Self::Expired,
    ];

    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Leased => "leased",
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Blocked => "blocked",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }

    /// Reads a state's name, also as other systems spell it: the aliases are accepted on the way in and never written.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.to_ascii_lowercase();
        let canonical = match name.as_str() {
            "pending" => "queued",
            "approval_required" => "awaiting_approval",
            "claimed" | "dispatched" | "scheduled" => "leased",
            "completed" | "done" | "success" => "succeeded",
            "failure" | "error" => "failed",
            "timeout" => "timed_out",
            "canceled" | "stopped" => "cancelled",
            other => other,
        };
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == canonical)
    }

    /// Whether nothing can happen to the job any more.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded
            | Self::Failed
            | Self::TimedOut
            | Self::Cancelled
            | Self::Denied
            | Self::Expired => true,
            Self::Queued
            | Self::AwaitingApproval
            | Self::Leased
            | Self::Running
            | Self::Parked
            | Self::Blocked => false,
        }
    }

    /// The one table of legal moves.
    pub const fn may_become(self, next: Self) -> bool {
        use JobStatus as S;
        match self {
            S::Queued => matches!(
                next,
                S::Leased | S::AwaitingApproval | S::Denied | S::Expired | S::Cancelled
            ),
            S::AwaitingApproval => {
                matches!(next, S::Queued | S::Denied | S::Expired | S::Cancelled)
            }
            S::Leased => matches!(next, S::Running | S::Queued | S::Cancelled | S::Failed),
            S::Running => matches!(
                next,
                S::Succeeded
                    | S::Failed
                    | S::TimedOut
                    | S::Cancelled
                    | S::Blocked
                    | S::Parked
                    | S::Queued
            ),
            S::Parked => matches!(next, S::Leased | S::Cancelled | S::Expired),
            S::Blocked => matches!(next, S::Queued | S::Cancelled),
            S::Succeeded | S::Failed | S::TimedOut | S::Cancelled | S::Denied | S::Expired => false,
        }
    }
}

impl std::fmt::Display for JobStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A job's state with what belongs to it alone, so that a queued job cannot have a failure and a running one has its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum JobState {
    /// See [`JobStatus::Queued`].
    Queued {
        /// Why it is queued again, where it is.
        reason: Option<String>,
        /// The wait before it may be taken again, counted by whoever watches from `since` on.
        backoff_ms: Option<u64>,
        /// Since when it is queued.
        since: Timestamp,
        /// What its next run continues.
        goes_on: Option<GoOn>,
    },
    /// See [`JobStatus::AwaitingApproval`].
    AwaitingApproval {
        /// The approval it waits for.
        approval: ApprovalId,
        /// What its next run continues.
        goes_on: Option<GoOn>,
    },
    /// See [`JobStatus::Leased`].
    Leased {
        /// What its next run continues.
        goes_on: Option<GoOn>,
    },
    /// See [`JobStatus::Running`].
    Running {
        /// The run under way.
        run: RunId,
    },
    /// See [`JobStatus::Parked`].
    Parked {
        /// The run that waits.
        run: RunId,
        /// The machine that has its workspace.
        machine: MachineId,
        /// For what.
        reason: ParkReason,
        /// The instant it may go on at, where a person or a service named one.
        until: Option<Timestamp>,
        /// The approval it waits for.
        approval: Option<ApprovalId>,
        /// Whether what it waited for is there, so that its machine may take it.
        due: bool,
    },
    /// See [`JobStatus::Blocked`].
    Blocked {
        /// Why.
        failure: Failure,
    },
    /// See [`JobStatus::Succeeded`].
    Succeeded {},
    /// See [`JobStatus::Failed`].
    Failed {
        /// Why.
        failure: Failure,
        /// Its retries are used up.
        dead_letter: bool,
    },
    /// See [`JobStatus::TimedOut`].
    TimedOut {
        /// Why.
        failure: Failure,
    },
    /// See [`JobStatus::Cancelled`].
    Cancelled {
        /// Why.
        reason: String,
    },
    /// See [`JobStatus::Denied`].
    Denied {
        /// Why.
        failure: Failure,
    },
    /// See [`JobStatus::Expired`].
    Expired {},
}

impl JobState {
    /// The state's name.
    pub const fn status(&self) -> JobStatus {
        match self {
            Self::Queued { .. } => JobStatus::Queued,
            Self::AwaitingApproval { .. } => JobStatus::AwaitingApproval,
            Self::Leased { .. } => JobStatus::Leased,
            Self::Running { .. } => JobStatus::Running,
            Self::Parked { .. } => JobStatus::Parked,
            Self::Blocked { .. } => JobStatus::Blocked,
            Self::Succeeded {} => JobStatus::Succeeded,
            Self::Failed { .. } => JobStatus::Failed,
            Self::TimedOut { .. } => JobStatus::TimedOut,
            Self::Cancelled { .. } => JobStatus::Cancelled,
            Self::Denied { .. } => JobStatus::Denied,
            Self::Expired {} => JobStatus::Expired,
        }
    }

    /// Why the job did not succeed, where that is known.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Blocked { failure }
            | Self::Failed { failure, .. }
            | Self::TimedOut { failure }
            | Self::Denied { failure } => Some(failure),
            Self::Queued { .. }
            | Self::AwaitingApproval { .. }
            | Self::Leased { .. }
            | Self::Running { .. }
            | Self::Parked { .. }
            | Self::Succeeded {}
            | Self::Cancelled { .. }
            | Self::Expired {} => None,
        }
    }
}

/// A request to call off a job that a runner holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Why.
    pub reason: String,
    /// When it was asked.
    pub at: Timestamp,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its project.
    pub project: ProjectId,
    /// The agent session it is meant for.
    pub session: Option<SessionId>,
    /// The name that routes it.
    pub topic: String,
    /// The first line of the task, clipped.
    pub title: String,
    /// The agent by name.
    pub agent: String,
    /// The base commit.
    pub base: String,
    /// The stored contract.
    pub contract: Sha256Digest,
    /// Greater is sooner.
    pub priority: i32,
    /// Not to be started earlier, by the wall clock.
    pub not_before: Option<Timestamp>,
    /// Worthless later.
    pub deadline: Option<Timestamp>,
    /// How often it may be started.
    pub max_attempts: u32,
    /// The job it repeats.
    pub retry_of: Option<JobId>,
    /// The attempt number of its first run.
    pub first_attempt: u32,
    /// Whether it may run in its session only.
    pub exact: bool,
    /// Whether a person has to approve every start.
    pub approval: Option<StartApproval>,
    /// The W3C `traceparent` it was asked for under.
    pub trace: Option<String>,
    /// A payload for the agent, by digest.
    pub context: Option<Sha256Digest>,
    /// Where it stands.
    pub state: JobState,
    /// The epoch of the latest lease; it only grows.
    pub epoch: Epoch,
    /// The latest lease.
    pub lease: Option<Lease>,
    /// Its runs, oldest first.
    pub runs: Vec<RunHeader>,
    /// Its approvals, oldest first.
    pub approvals: Vec<Approval>,
    /// A request to call it off that its runner has yet to answer.
    pub cancel: Option<CancelRequest>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When something last happened to it.
    pub updated_at: Timestamp,
}

impl Job {
    /// The lease, while it is active.
    pub fn active_lease(&self) -> Option<&Lease> {
        self.lease
            .as_ref()
            .filter(|lease| lease.state == LeaseState::Active)
    }

    /// The run that has not closed, if there is one.
    pub fn open_run(&self) -> Option<&RunHeader> {
        self.runs.last().filter(|run| run.closed.is_none())
    }

    /// An approval by id.
    pub fn approval(&self, id: ApprovalId) -> Option<&Approval> {
        self.approvals.iter().find(|approval| approval.id == id)
    }

    /// The approvals nobody has decided.
    pub fn pending_approvals(&self) -> impl Iterator<Item = &Approval> {
        self.approvals
            .iter()
            .filter(|approval| approval.state == ApprovalState::Pending)
    }

    /// A run by id.
    pub fn run(&self, id: RunId) -> Option<&RunHeader> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// How often this job was started.
    pub fn starts(&self) -> u32 {
        u32::try_from(self.runs.len()).unwrap_or(u32::MAX)
    }

    /// Whether `lease` at `epoch` may write for this job.
    pub fn is_held_by(&self, lease: LeaseId, epoch: Epoch) -> bool {
        self.active_lease()
            .is_some_and(|active| active.id == lease && active.epoch == epoch)
    }
}

/// The state of a job stream: no job until it is submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct JobStream {
    /// The job, once it exists.
    pub job: Option<Job>,
}

impl JobStream {
    /// The name of the job's state, once it exists.
    pub fn status(&self) -> Option<JobStatus> {
        self.job.as_ref().map(|job| job.state.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_states_have_no_way_out() {
        for from in JobStatus::ALL {
            let ways = JobStatus::ALL
                .into_iter()
                .filter(|next| from.may_become(*next))
                .count();
            assert_eq!(from.is_terminal(), ways == 0, "{from}");
        }
    }

    #[test]
    fn names_and_aliases_read_back_to_one_spelling() {
        for status in JobStatus::ALL {
            assert_eq!(JobStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(JobStatus::parse("COMPLETED"), Some(JobStatus::Succeeded));
        assert_eq!(JobStatus::parse("PENDING"), Some(JobStatus::Queued));
        assert_eq!(JobStatus::parse("nonsense"), None);
    }
}
