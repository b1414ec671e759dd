//! The traits, by audience.

use async_trait::async_trait;
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, LeaseId, RunId};
use dogwatch_core::job::{Job, Lease};
use serde::Serialize;

use crate::error::StoreError;
use crate::query::{JobFilter, Page, PageRequest, RunFilter, RunView, StoredLine};
use crate::update::{Update, Updated};

/// For those who change things: the engine.
#[async_trait]
pub trait Streams: Send + Sync {
    /// Updates the stream of a job: loads it, decides, appends, projects and commits, then answers.
    async fn update(&self, job: JobId, update: Update) -> Result<Updated, StoreError>;

    /// The same for the job that is next in the ready index, chosen inside the transaction; `None` when none is ready.
    async fn update_next_ready(
        &self,
        filter: JobFilter,
        update: Update,
    ) -> Result<Option<Updated>, StoreError>;
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
