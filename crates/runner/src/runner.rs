//! What a runner is made of, and the runs it has.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use dogwatch_api::ControlPlane;
use dogwatch_bundle::KeyStore;
use dogwatch_core::ids::{JobId, LeaseId, MachineId};
use dogwatch_core::job::Holder;
use dogwatch_core::queue::Offer;
use dogwatch_core::{Clock, Entropy};
use dogwatch_supervisor::ShimProgram;

use crate::control::RunControl;
use crate::disk::DiskReserve;
use crate::layout::DataLayout;
use crate::observe::Observer;
use crate::profile::ProfileInput;

/// What a runner is made of.
#[derive(Clone)]
pub struct RunnerParts {
    /// The control plane.
    pub plane: Arc<dyn ControlPlane>,
    /// The same for whoever may take a lease from a runner that is dead, where the control plane is in this process.
    pub recoverer: Option<Arc<dyn ControlPlane>>,
    /// The socket of the control channel, at which the token of a run counts and nothing else. It is shown into every run, as
    /// `DOGWATCH_ENDPOINT`.
    pub channel: Option<PathBuf>,
    /// Whether the control plane does not share the data directory, so that it gets a copy of every sealed bundle.
    pub remote: bool,
    /// The data directory.
    pub layout: DataLayout,
    /// This machine.
    pub machine: MachineId,
    /// The runner's name for people.
    pub name: String,
    /// What it has to offer.
    pub offer: Offer,
    /// What its machine can isolate and do, by name.
    pub capabilities: Vec<String>,
    /// This process, where the control plane is on the same machine.
    pub holder: Option<Holder>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of ids.
    pub entropy: Arc<dyn Entropy>,
    /// How shims are started.
    pub launcher: ShimProgram,
    /// The signing key.
    pub keys: Arc<KeyStore>,
    /// The configuration that does not come from the project.
    pub profile: ProfileInput,
    /// When runs wait for room.
    pub reserve: DiskReserve,
    /// The version that evidence names.
    pub version: String,
    /// Who follows in this process.
    pub observer: Arc<dyn Observer>,
}

/// A runner.
pub struct Runner {
    pub(crate) parts: Arc<RunnerParts>,
    pub(crate) active: ActiveRuns,
}

impl Runner {
    /// A runner.
    pub fn new(parts: RunnerParts) -> Self {
        Self {
            parts: Arc::new(parts),
            active: ActiveRuns::default(),
        }
    }

    /// What influences the run of a job that this runner has right now.
    pub fn control(&self, job: JobId) -> Option<RunControl> {
        self.active.control(job)
    }

    /// The jobs it has right now.
    pub fn jobs(&self) -> Vec<JobId> {
        self.active.jobs()
    }
}

/// The runs a runner has right now.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveRuns {
    runs: Arc<Mutex<Vec<(LeaseId, JobId, RunControl)>>>,
}

impl ActiveRuns {
    pub(crate) fn insert(&self, lease: LeaseId, job: JobId, control: RunControl) {
        self.with(|runs| runs.push((lease, job, control)));
    }

    pub(crate) fn remove(&self, lease: LeaseId) {
        self.with(|runs| runs.retain(|(held, _, _)| *held != lease));
    }

    pub(crate) fn control(&self, job: JobId) -> Option<RunControl> {
        self.with(|runs| {
            let found = runs.iter().rev().find(|(_, has, _)| *has == job);
            found.map(|(_, _, control)| control.clone())
        })
    }

    pub(crate) fn jobs(&self) -> Vec<JobId> {
        self.with(|runs| runs.iter().map(|(_, job, _)| *job).collect())
    }

    pub(crate) fn kill_all(&self, reason: &str) {
        self.with(|runs| runs.iter().for_each(|(_, _, control)| control.kill(reason)));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<(LeaseId, JobId, RunControl)>) -> T) -> T {
        // No act panics half-way: each is one call on the list.
        act(&mut self.runs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
