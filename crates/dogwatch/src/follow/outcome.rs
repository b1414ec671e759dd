//! How a job's last run ended, put together from what the control plane says of it.

use std::path::PathBuf;

use dogwatch_api::RunDetail;
use dogwatch_core::Sha256Digest;
use dogwatch_core::contract::Containment;
use dogwatch_core::failure::Failure;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{Assurance, CleanupState, JobStatus, RunOutcome};
use dogwatch_core::run::GateFinished;

/// A run that ended.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// The job.
    pub(crate) job: JobId,
    /// Where it stands now.
    pub(crate) status: JobStatus,
    /// The run.
    pub(crate) run: RunId,
    /// How it ended.
    pub(crate) outcome: RunOutcome,
    /// Why, for everything but a success.
    pub(crate) failure: Option<Failure>,
    /// How far its agent was kept apart from the machine; nothing if none was started.
    pub(crate) containment: Option<Containment>,
    /// What stands behind a success.
    pub(crate) assurance: Assurance,
    /// The tree T.
    pub(crate) tree: Option<String>,
    /// Its turns.
    pub(crate) turns: u32,
    /// The gates of the last round.
    pub(crate) gates: Vec<GateFinished>,
    /// Where its bundle is, if it is here.
    pub(crate) bundle: PathBuf,
    /// The digest of the bundle's manifest.
    pub(crate) manifest: Option<Sha256Digest>,
    /// What happened to its workspace.
    pub(crate) cleanup: CleanupState,
}

impl Finished {
    /// How a run ended that did.
    pub(super) fn of(run: RunDetail, status: JobStatus, bundle: PathBuf) -> Option<Self> {
        let closed = run.header.closed?;
        Some(Self {
            job: run.job,
            status,
            run: run.id,
            outcome: closed.outcome,
            failure: closed.failure,
            containment: run.state.containment(),
            assurance: closed.assurance,
            tree: closed.tree,
            turns: closed.turns,
            gates: run.state.gates,
            bundle,
            manifest: closed.manifest,
            cleanup: run.header.cleanup.state,
        })
    }
}
