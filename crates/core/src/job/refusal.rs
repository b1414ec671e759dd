//! Why a command changed nothing.

use super::approval::ApprovalState;
use super::run_header::RunOutcome;
use super::state::JobStatus;
use crate::event::Epoch;
use crate::ids::{ApprovalId, JobId};
use crate::time::Timestamp;

/// A command that the state does not accept. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such job.
    #[error("there is no such job")]
    NoSuchJob,
    /// The stream already holds a job.
    #[error("{0} already exists")]
    AlreadyExists(JobId),
    /// The job is in a state that the command does not apply to.
    #[error("the job is {status}, so it cannot {command}")]
    WrongState {
        /// Where it stands.
        status: JobStatus,
        /// What was asked.
        command: &'static str,
    },
    /// The caller does not hold the lease, or no longer.
    #[error("the lease is lost: the job is at epoch {current}")]
    LeaseLost {
        /// The job's latest epoch.
        current: Epoch,
    },
    /// The job may not be started yet.
    #[error("the job is scheduled for {0}")]
    NotYet(Timestamp),
    /// The wait before another attempt is not over.
    #[error("the job waits {0} ms before another attempt")]
    BackingOff(u64),
    /// The policy does not let the run go on; it stays parked.
    #[error("the policy does not let the run go on")]
    Policy,
    /// This machine cannot take the job, another may.
    #[error("{0}")]
    Unmet(crate::queue::Unmet),
    /// There is no such approval.
    #[error("there is no {0}")]
    NoSuchApproval(ApprovalId),
    /// The approval was decided, or is past.
    #[error("{approval} is {} and waits for nobody", .state.as_str())]
    ApprovalNotPending {
        /// The approval.
        approval: ApprovalId,
        /// Where it stands.
        state: ApprovalState,
    },
    /// Whoever asked may not decide.
    #[error("{0} cannot be decided by the one who asked")]
    ApprovalSelf(ApprovalId),
    /// The action or what is said is longer than a person is shown.
    #[error("{what} is {bytes} bytes, more than {max}")]
    TooLong {
        /// What.
        what: &'static str,
        /// How long.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// The run is still under way.
    #[error("the run is not closed yet")]
    RunNotClosed,
    /// The run left no sealed evidence, so there is nothing a verdict could be about.
    #[error("the run has no sealed bundle")]
    EvidenceIncomplete,
    /// The evidence that was looked at is not the run's.
    #[error("the run's bundle has the manifest {sealed}, not the one that was named")]
    OtherEvidence {
        /// The digest of the sealed manifest.
        sealed: crate::canonical::Sha256Digest,
    },
    /// Only a success can be promoted.
    #[error("the run {}, so it cannot be promoted", .0.map_or("is not over", RunOutcome::in_words))]
    NotPromotable(Option<RunOutcome>),
    /// Its change is in the repository already.
    #[error("the change of the run has landed already")]
    AlreadyLanded,
    /// Nobody promoted it, or it was rejected since.
    #[error("the run is not promoted")]
    NotPromoted,
    /// The run named is not the one under way.
    #[error("the run is not the one under way")]
    WrongRun,
}

impl Refusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSuchJob => "job_not_found",
            Self::AlreadyExists(_) => "job_exists",
            Self::WrongState { .. } => "wrong_state",
            Self::LeaseLost { .. } => "lease_lost",
            Self::NotYet(_) => "not_yet",
            Self::BackingOff(_) => "not_yet",
            Self::Policy => "policy_denied",
            Self::Unmet(unmet) => unmet.code(),
            Self::NoSuchApproval(_) => "approval_not_found",
            Self::ApprovalNotPending { .. } => "approval_not_pending",
            Self::ApprovalSelf(_) => "approval_self",
            Self::TooLong { .. } => "too_long",
            Self::RunNotClosed => "run_not_closed",
            Self::EvidenceIncomplete => "evidence_incomplete",
            Self::OtherEvidence { .. } => "evidence_changed",
            Self::NotPromotable(_) => "not_promotable",
            Self::AlreadyLanded => "already_landed",
            Self::NotPromoted => "not_promoted",
            Self::WrongRun => "wrong_run",
        }
    }
}
