//! Where things are in the data directory.

use std::path::{Path, PathBuf};

use dogwatch_core::ids::{ProjectId, RunId};

/// The data directory.
#[derive(Clone, Debug)]
pub struct DataLayout {
    root: PathBuf,
}

impl DataLayout {
    /// The layout below a directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root.join("dogwatch.db")
    }

    /// The lock of the one control plane.
    pub fn lock(&self) -> PathBuf {
        self.root.join("server.lock")
    }

    /// The bundles.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The bundle of a run.
    pub fn bundle(&self, run: RunId) -> PathBuf {
        self.runs().join(run.to_string())
    }

    /// What this machine knows of a project.
    pub fn project(&self, project: ProjectId) -> PathBuf {
        self.root.join("projects").join(format!("{project}.json"))
    }

    /// Everything of a run that is not evidence.
    pub fn work(&self, run: RunId) -> PathBuf {
        self.root.join("work").join(run.to_string())
    }

    /// The private clone of a run.
    pub fn workspace(&self, run: RunId) -> PathBuf {
        self.work(run).join("workspace")
    }

    /// In which start of the machine the run's workspace was made.
    pub(crate) fn boot(&self, run: RunId) -> PathBuf {
        self.work(run).join("boot")
    }

    /// Which files came along from the user's checkout.
    pub(crate) fn included(&self, run: RunId) -> PathBuf {
        self.work(run).join("included.json")
    }

    /// What the run continues, for one that waited before it began.
    pub(crate) fn goes_on(&self, run: RunId) -> PathBuf {
        self.work(run).join("goes_on.json")
    }

    /// Checked-out base commits of a project, which workspaces share.
    pub(crate) fn pristine(&self, project: ProjectId) -> PathBuf {
        self.root.join("pristine").join(project.to_string())
    }

    /// What dogwatch and the agent pass to each other in a turn.
    pub(crate) fn exchange(&self, run: RunId, turn: u32) -> PathBuf {
        self.work(run).join("exchange").join(format!("{turn:03}"))
    }

    /// The payload that came with the job, for the agent.
    pub(crate) fn context(&self, run: RunId) -> PathBuf {
        self.work(run).join("exchange").join("context")
    }

    /// The shims' own files: one directory each.
    pub(crate) fn shims(&self, run: RunId) -> PathBuf {
        self.work(run).join("shims")
    }

    /// The checkout of T that a round of gates runs in.
    pub(crate) fn gate_checkout(&self, run: RunId, round: u32) -> PathBuf {
        self.work(run).join(format!("gates-{round:03}"))
    }
}
