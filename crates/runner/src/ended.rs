//! What became of a job that a runner took.

use std::path::PathBuf;

use dogwatch_core::Sha256Digest;
use dogwatch_core::failure::Failure;
use dogwatch_core::ids::{ApprovalId, JobId, RunId};
use dogwatch_core::job::{Assurance, CleanupState, JobStatus, ParkReason, RunOutcome};
use dogwatch_core::run::GateFinished;

/// A run that ended, for whoever asked for it.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The job.
    pub job: JobId,
    /// Where it stands now.
    pub status: JobStatus,
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why, for everything but a success.
    pub failure: Option<Failure>,
    /// What stands behind a success.
    pub assurance: Assurance,
    /// The tree T.
    pub tree: Option<String>,
    /// Its turns.
    pub turns: u32,
    /// The gates of the last round.
    pub gates: Vec<GateFinished>,
    /// Where its bundle is.
    pub bundle: PathBuf,
    /// The digest of the bundle's manifest.
    pub manifest: Sha256Digest,
    /// What happened to its workspace.
    pub cleanup: CleanupState,
}

/// A run that waits, and holds no slot meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The job.
    pub job: JobId,
    /// The run.
    pub run: RunId,
    /// For what.
    pub reason: ParkReason,
    /// The approval it waits for.
    pub approval: Option<ApprovalId>,
}

/// What became of a job that was taken.
#[derive(Clone, Debug)]
pub enum Ended {
    /// Its run ended and is sealed and reported.
    Finished(Box<Finished>),
    /// Its run waits.
    Parked(Parked),
    /// It was given back before a run was started.
    Released {
        /// The job.
        job: JobId,
        /// Why, with its causes.
        reason: String,
    },
    /// Its lease went to nobody or somebody else. Nothing more was written.
    LeaseLost {
        /// The job.
        job: JobId,
        /// Its run, if one had been started.
        run: Option<RunId>,
    },
    /// Its run could not be brought to an end here; recovery does that once the lease has run out.
    Abandoned {
        /// The job.
        job: JobId,
        /// Its run, if one had been started.
        run: Option<RunId>,
        /// Why, with its causes.
        reason: String,
    },
}

impl Ended {
    /// The job.
    pub fn job(&self) -> JobId {
        match self {
            Self::Finished(finished) => finished.job,
            Self::Parked(parked) => parked.job,
            Self::Released { job, .. }
            | Self::LeaseLost { job, .. }
            | Self::Abandoned { job, .. } => *job,
        }
    }
}
