//! The traits, by audience.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dogwatch_core::Sha256Digest;
use dogwatch_core::Timestamp;
use dogwatch_core::ids::{ApprovalId, JobId, LeaseId, RunId};
use dogwatch_core::job::{Job, Lease};
use dogwatch_core::queue::Offer;
use dogwatch_core::server::ServerState;
use serde::Serialize;

use crate::error::StoreError;
use crate::query::{
    ApprovalFilter, ApprovalRow, JobFilter, JobTimer, LogFilter, LogLine, Page, PageRequest,
    RunFilter, RunView, RunnerRow, StoredLine,
};
use crate::update::{ServerUpdate, ServerUpdated, Update, Updated};

/// For those who change things: the engine.
#[async_trait]
pub trait Streams: Send + Sync {
    /// Updates the stream of a job: loads it, decides, appends, projects and commits, then answers.
    async fn update(&self, job: JobId, update: Update) -> Result<Updated, StoreError>;

    /// The same for the job that is next in the ready index, chosen inside the transaction; `None` when none is ready for this offer.
    ///
    /// The backend may use the offer to look at fewer jobs. The decision has the last word: one that refuses with `Unmet`, `NotYet` or
    /// `BackingOff` moves on to the job after.
    async fn update_next_ready(
        &self,
        offer: Offer,
        update: Update,
    ) -> Result<Option<Updated>, StoreError>;

    /// Updates the server's own stream.
    async fn update_server(&self, update: ServerUpdate) -> Result<ServerUpdated, StoreError>;
}

/// For those who look: lists, consoles, recovery.
#[async_trait]
pub trait Reads: Send + Sync {
    /// A job.
    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError>;
    /// Jobs, newest first.
    async fn jobs(&self, filter: JobFilter, page: PageRequest) -> Result<Page<Job>, StoreError>;
    /// A run.
    async fn run(&self, id: RunId) -> Result<Option<RunView>, StoreError>;
    /// Runs, newest first.
    async fn runs(&self, filter: RunFilter, page: PageRequest)
    -> Result<Page<RunView>, StoreError>;
    /// The ids of jobs and runs that start with, or whose value ends with, `text`; at most `limit`.
    async fn find_ids(&self, text: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// The exact lines of a job's control stream after `after`.
    async fn events(
        &self,
        job: JobId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredLine>, StoreError>;
    /// The exact lines of a run's journal after `after`.
    async fn run_lines(
        &self,
        run: RunId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredLine>, StoreError>;
    /// The stored bytes of a contract.
    async fn contract(&self, hash: Sha256Digest) -> Result<Option<Vec<u8>>, StoreError>;
    /// Every active lease with its job.
    async fn active_leases(&self) -> Result<Vec<(JobId, Lease)>, StoreError>;
    /// How often a lease was renewed; the reaper watches that this number moves.
    async fn renewals(&self, lease: LeaseId) -> Result<u64, StoreError>;
    /// The server's own stream, folded.
    async fn server_state(&self) -> Result<ServerState, StoreError>;
    /// What each runner said last.
    async fn runners(&self) -> Result<Vec<RunnerRow>, StoreError>;
    /// The control log over all streams, in the order of commits.
    async fn log(&self, filter: LogFilter) -> Result<Vec<LogLine>, StoreError>;
    /// An approval.
    async fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError>;
    /// Approvals, newest first.
    async fn approvals(
        &self,
        filter: ApprovalFilter,
        page: PageRequest,
    ) -> Result<Page<ApprovalRow>, StoreError>;
    /// Everything that waits for time by somebody's steady clock: backoffs and approvals.
    async fn steady_timers(&self) -> Result<Vec<JobTimer>, StoreError>;
    /// What waits for an instant of the wall clock that has come: deadlines and resumes, the earliest first.
    async fn wall_timers(&self, until: Timestamp, limit: u32) -> Result<Vec<JobTimer>, StoreError>;
    /// The files of a run's bundle, if it was declared.
    async fn bundle_files(
        &self,
        run: RunId,
    ) -> Result<Option<BTreeMap<String, Sha256Digest>>, StoreError>;
    /// How many jobs are not over. A server that may go looks at this.
    async fn unfinished(&self) -> Result<u64, StoreError>;
}

/// What a rebuild found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// Streams replayed.
    pub streams: u64,
    /// Events and journal lines replayed.
    pub events: u64,
    /// Rows of projections that differed from their replay, named; empty when all was as it should be.
    pub differences: Vec<String>,
}

/// For those who check.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Replays the log into empty projections, compares them with those in use, and puts the replayed ones in their place.
    async fn rebuild(&self) -> Result<RebuildReport, StoreError>;
    /// Recomputes every chain; the answer names each line that does not fit.
    async fn check_chains(&self) -> Result<Vec<String>, StoreError>;
}

/// A whole store.
pub trait Store: Streams + Reads + Maintenance {}

impl<T: Streams + Reads + Maintenance> Store for T {}
