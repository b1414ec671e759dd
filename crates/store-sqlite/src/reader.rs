//! Reading, with or without a writer in this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_core::ids::{ApprovalId, JobId, LeaseId, RunId};
use dogwatch_core::job::{Job, Lease};
use dogwatch_core::server::ServerState;
use dogwatch_core::{Sha256Digest, Timestamp};
use dogwatch_store::{
    ApprovalFilter, ApprovalRow, JobFilter, JobTimer, LogFilter, LogLine, Page, PageRequest, Reads,
    RunFilter, RunView, RunnerRow, StoreError, StoredLine,
};

use crate::error::OpenError;
use crate::pool::Pool;
use crate::read;

/// A database opened to read only: it has no write path, and recovers nothing.
#[derive(Clone, Debug)]
pub struct SqliteReader {
    pub(crate) pool: Arc<Pool>,
}

impl SqliteReader {
    /// Opens an existing database. Blocks for the time of opening a file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            pool: Pool::open(path)?,
        })
    }
}

#[async_trait]
impl Reads for SqliteReader {
    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.pool.read(move |db| read::job(db, id)).await
    }

    async fn jobs(&self, filter: JobFilter, page: PageRequest) -> Result<Page<Job>, StoreError> {
        self.pool
            .read(move |db| read::jobs(db, &filter, &page))
            .await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunView>, StoreError> {
        self.pool.read(move |db| read::run(db, id)).await
    }

    async fn runs(
        &self,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<RunView>, StoreError> {
        self.pool
            .read(move |db| read::runs(db, &filter, &page))
            .await
    }

    async fn find_ids(&self, text: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let text = text.to_owned();
        self.pool
            .read(move |db| read::find_ids(db, &text, limit))
            .await
    }

    async fn events(
        &self,
        job: JobId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredLine>, StoreError> {
        self.pool
            .read(move |db| read::events(db, job, after, limit))
            .await
    }

    async fn run_lines(
        &self,
        run: RunId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredLine>, StoreError> {
        self.pool
            .read(move |db| read::run_lines(db, run, after, limit))
            .await
    }

    async fn contract(&self, hash: Sha256Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.pool.read(move |db| read::contract(db, hash)).await
    }

    async fn active_leases(&self) -> Result<Vec<(JobId, Lease)>, StoreError> {
        self.pool.read(read::active_leases).await
    }

    async fn renewals(&self, lease: LeaseId) -> Result<u64, StoreError> {
        self.pool.read(move |db| read::renewals(db, lease)).await
    }

    async fn server_state(&self) -> Result<ServerState, StoreError> {
        self.pool.read(read::server_state).await
    }

    async fn runners(&self) -> Result<Vec<RunnerRow>, StoreError> {
        self.pool.read(read::runners).await
    }

    async fn log(&self, filter: LogFilter) -> Result<Vec<LogLine>, StoreError> {
        self.pool.read(move |db| read::log(db, &filter)).await
    }

    async fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        self.pool.read(move |db| read::approval(db, id)).await
    }

    async fn approvals(
        &self,
        filter: ApprovalFilter,
        page: PageRequest,
    ) -> Result<Page<ApprovalRow>, StoreError> {
        self.pool
            .read(move |db| read::approvals(db, &filter, &page))
            .await
    }

    async fn steady_timers(&self) -> Result<Vec<JobTimer>, StoreError> {
        self.pool.read(read::steady_timers).await
    }

    async fn wall_timers(&self, until: Timestamp, limit: u32) -> Result<Vec<JobTimer>, StoreError> {
        self.pool
            .read(move |db| read::wall_timers(db, until, limit))
            .await
    }

    async fn bundle_files(
        &self,
        run: RunId,
    ) -> Result<Option<BTreeMap<String, Sha256Digest>>, StoreError> {
        self.pool.read(move |db| read::bundle_files(db, run)).await
    }

    async fn unfinished(&self) -> Result<u64, StoreError> {
        self.pool.read(read::unfinished).await
    }
}
