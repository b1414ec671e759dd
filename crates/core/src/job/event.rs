//! The facts of a job stream. Kinds are wire format: append only, never changed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::approval::{Approval, ApprovalDecision, StartApproval};
use super::judgement::{Judgement, Landed};
use super::lease::Lease;
use super::park::ParkReason;
use super::run_header::{Cleanup, RunClosure, RunHeader};
use crate::canonical::Sha256Digest;
use crate::event::Epoch;
use crate::failure::Failure;
use crate::ids::{ApprovalId, DecisionId, JobId, LeaseId, MachineId, ProjectId, RunId, SessionId};
use crate::time::Timestamp;

/// What a policy said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionEffect {
    /// Go on.
    Allow,
    /// Refused.
    Deny,
}

/// A policy decision, recorded before its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// Its id.
    pub id: DecisionId,
    /// What was asked: `job.submit`, `job.dispatch`.
    pub action: String,
    /// The digest of the canonical request.
    pub request: Sha256Digest,
    /// The policy by name and version, such as `builtin:allow-all@1`.
    pub policy: String,
    /// The digest of the policy snapshot.
    pub policy_digest: Sha256Digest,
    /// The answer.
    pub effect: DecisionEffect,
    /// Why.
    pub reason: String,
}

/// The facts of an accepted request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submitted {
    /// The job.
    pub job: JobId,
    /// Its project.
    pub project: ProjectId,
    /// The agent session it is meant for.
    pub session: Option<SessionId>,
    /// The name that routes it.
    pub topic: String,
    /// The first line of the task, clipped, for lists.
    pub title: String,
    /// The agent by name.
    pub agent: String,
    /// The base commit.
    pub base: String,
    /// The stored contract.
    pub contract: Sha256Digest,
    /// Greater is sooner.
    pub priority: i32,
    /// Not to be started earlier.
    pub not_before: Option<Timestamp>,
    /// Worthless later.
    pub deadline: Option<Timestamp>,
    /// How often it may be started, this job alone.
    pub max_attempts: u32,
    /// The job it repeats.
    pub retry_of: Option<JobId>,
    /// The attempt number of its first run, 1 unless it repeats another job.
    pub first_attempt: u32,
    /// Whether it may run in its session only; otherwise another may take its place.
    pub exact: bool,
    /// Whether a person has to approve every start.
    pub approval: Option<StartApproval>,
    /// What its first run continues.
    pub goes_on: Option<GoOn>,
    /// The W3C `traceparent` it was asked for under; its agent gets it.
    pub trace: Option<String>,
    /// A payload for the agent, by digest: too large for a contract.
    pub context: Option<Sha256Digest>,
}

/// A run goes on where another one stopped, rather than at the base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoOn {
    /// The run whose last snapshot and agent session it goes on from.
    pub run: RunId,
    /// What a person says to the agent about it, at most [`MAX_SAY_BYTES`].
    pub say: Option<String>,
}

/// The most bytes a person can say to an agent with a retry; more belongs into a new task.
pub const MAX_SAY_BYTES: usize = 2_000;

/// An event of a job stream. The comment on each names the states that accept it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", content = "data", deny_unknown_fields)]
pub enum JobEvent {
    /// Any state, also before the job exists.
    #[serde(rename = "policy.decided.v1")]
    PolicyDecided(Decided),
    /// No job yet.
    #[serde(rename = "job.submitted.v1")]
    Submitted(Submitted),
    /// `queued`, `awaiting_approval`.
    #[serde(rename = "job.denied.v1")]
    Denied {
        /// Why.
        failure: Failure,
    },
    /// `queued`, `parked`.
    #[serde(rename = "lease.granted.v1")]
    LeaseGranted {
        /// The lease.
        lease: Lease,
    },
    /// While the lease is active.
    #[serde(rename = "lease.released.v1")]
    LeaseReleased {
        /// The lease.
        lease: LeaseId,
        /// Its epoch.
        epoch: Epoch,
        /// Why.
        reason: String,
    },
    /// While the lease is active.
    #[serde(rename = "lease.expired.v1")]
    LeaseExpired {
        /// The lease.
        lease: LeaseId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// While the lease is active.
    #[serde(rename = "lease.revoked.v1")]
    LeaseRevoked {
        /// The lease.
        lease: LeaseId,
        /// Its epoch.
        epoch: Epoch,
        /// Why.
        reason: String,
    },
    /// `leased`.
    #[serde(rename = "run.created.v1")]
    RunCreated {
        /// The run.
        run: RunHeader,
    },
    /// An open run.
    #[serde(rename = "run.closed.v1")]
    RunClosed {
        /// The run.
        run: RunId,
        /// How it ended.
        closure: RunClosure,
    },
    /// A closed run.
    #[serde(rename = "run.cleaned_up.v1")]
    RunCleanedUp {
        /// The run.
        run: RunId,
        /// What happened to its workspace.
        cleanup: Cleanup,
    },
    /// A closed run with sealed evidence.
    #[serde(rename = "run.judged.v1")]
    RunJudged {
        /// The run.
        run: RunId,
        /// What was said.
        judgement: Judgement,
    },
    /// A promoted run.
    #[serde(rename = "run.landed.v1")]
    RunLanded {
        /// The run.
        run: RunId,
        /// Where its change is.
        landed: Landed,
    },
    /// `leased`, `running`, `blocked`, `awaiting_approval`.
    #[serde(rename = "job.requeued.v1")]
    Requeued {
        /// Why.
        reason: String,
        /// How often it may be started, raised when a person asked for one more.
        max_attempts: u32,
        /// How long it waits before it may be started, counted by whoever watches and not by the wall clock; [`Self::Due`] ends the wait.
        backoff_ms: Option<u64>,
        /// What its next run continues.
        goes_on: Option<GoOn>,
    },
    /// `queued` with a wait, `parked`: it may be taken now.
    #[serde(rename = "job.due.v1")]
    Due {},
    /// `queued`.
    #[serde(rename = "job.awaiting_approval.v1")]
    AwaitingApproval {
        /// The approval it waits for.
        approval: ApprovalId,
    },
    /// `running`.
    #[serde(rename = "job.parked.v1")]
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
    },
    /// `queued`, `awaiting_approval`, `parked`.
    #[serde(rename = "job.expired.v1")]
    Expired {},
    /// `leased`, with the run that was parked.
    #[serde(rename = "run.resumed.v1")]
    RunResumed {
        /// The run.
        run: RunId,
        /// The lease it goes on under.
        lease: LeaseId,
        /// The epoch of that lease.
        epoch: Epoch,
    },
    /// An open run. Progress for whoever follows; it decides nothing.
    #[serde(rename = "run.message.v1")]
    Message {
        /// The run.
        run: RunId,
        /// What it is about: `intent`, `progress`, `blocker`, `completion`.
        topic: String,
        /// The text, clipped. Untrusted.
        text: String,
    },
    /// Any state that is not terminal.
    #[serde(rename = "approval.requested.v1")]
    ApprovalRequested(Approval),
    /// While it is pending.
    #[serde(rename = "approval.approved.v1")]
    ApprovalApproved {
        /// The approval.
        approval: ApprovalId,
        /// By whom.
        decision: ApprovalDecision,
    },
    /// While it is pending.
    #[serde(rename = "approval.rejected.v1")]
    ApprovalRejected {
        /// The approval.
        approval: ApprovalId,
        /// By whom.
        decision: ApprovalDecision,
    },
    /// While it is pending.
    #[serde(rename = "approval.expired.v1")]
    ApprovalExpired {
        /// The approval.
        approval: ApprovalId,
    },
    /// While it is pending or approved.
    #[serde(rename = "approval.superseded.v1")]
    ApprovalSuperseded {
        /// The approval.
        approval: ApprovalId,
        /// What changed.
        reason: String,
    },
    /// While it is approved.
    #[serde(rename = "approval.used.v1")]
    ApprovalUsed {
        /// The approval.
        approval: ApprovalId,
    },
    /// `leased`, `running`, `parked`.
    #[serde(rename = "job.cancel_requested.v1")]
    CancelRequested {
        /// Why.
        reason: String,
    },
    /// Every state that is not terminal.
    #[serde(rename = "job.cancelled.v1")]
    Cancelled {
        /// Why.
        reason: String,
    },
    /// `running`.
    #[serde(rename = "job.succeeded.v1")]
    Succeeded {},
    /// `leased`, `running`.
    #[serde(rename = "job.failed.v1")]
    Failed {
        /// Why.
        failure: Failure,
        /// Its retries are used up: a person has to look.
        dead_letter: bool,
    },
    /// `running`.
    #[serde(rename = "job.timed_out.v1")]
    TimedOut {
        /// Why.
        failure: Failure,
    },
    /// `running`.
    #[serde(rename = "job.blocked.v1")]
    Blocked {
        /// Why.
        failure: Failure,
    },
}

impl JobEvent {
    /// The kind and the data, as an envelope carries them.
    pub fn into_parts(self) -> (String, Value) {
        crate::event::split_tagged(&self)
    }

    /// The event of a kind, from an envelope's parts.
    pub fn from_parts(kind: &str, data: &Value) -> Result<Self, serde_json::Error> {
        crate::event::join_tagged(kind, data)
    }
}
