//! What can be read, page by page.

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, MachineId, ProjectId};
use dogwatch_core::job::{Approval, ApprovalState, JobStatus, RunHeader, Timer};
use dogwatch_core::run::RunState;
use serde::{Deserialize, Serialize};

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The most items.
    pub limit: u32,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            limit: 50,
            cursor: None,
        }
    }
}

/// A page of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page starts, if there is one.
    pub next_cursor: Option<String>,
}

/// Which jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Of one project.
    pub project: Option<ProjectId>,
    /// In one of these states; empty means any.
    pub statuses: Vec<JobStatus>,
}

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of one project.
    pub project: Option<ProjectId>,
    /// Of one job.
    pub job: Option<JobId>,
}

/// A run: what the control stream says of it, and what its journal says so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// Its job.
    pub job: JobId,
    /// Its project.
    pub project: ProjectId,
    /// What the control stream says.
    pub header: RunHeader,
    /// What its journal says.
    pub state: RunState,
}

/// A stored line of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLine {
    /// Its position.
    pub seq: u64,
    /// Its exact bytes, without a line end.
    pub line: Vec<u8>,
}

/// A stored contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractBytes {
    /// Its hash.
    pub hash: Sha256Digest,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// Which approvals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// Of one project.
    pub project: Option<ProjectId>,
    /// In one of these states; empty means any.
    pub states: Vec<ApprovalState>,
}

/// An approval and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRow {
    /// The job.
    pub job: JobId,
    /// Its project.
    pub project: ProjectId,
    /// The job's title.
    pub title: String,
    /// The approval.
    pub approval: Approval,
}

/// Which events of the control log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// After this position.
    pub after: u64,
    /// Of one job.
    pub job: Option<JobId>,
    /// Of one project.
    pub project: Option<ProjectId>,
    /// The most events.
    pub limit: u32,
}

/// A line of the control log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its place in the order of commits, over all streams.
    pub position: u64,
    /// Its exact bytes, without a line end.
    pub line: Vec<u8>,
}

/// Something a job waits for that only time brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTimer {
    /// The job.
    pub job: JobId,
    /// What.
    pub timer: Timer,
}

/// What a runner said last, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerRow {
    /// Its machine.
    pub machine: MachineId,
    /// The bytes.
    pub bytes: Vec<u8>,
}
