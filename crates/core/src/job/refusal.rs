//! Why a command changed nothing.

use super::state::JobStatus;
use crate::event::Epoch;
use crate::ids::JobId;
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
            Self::WrongRun => "wrong_run",
        }
    }
}
