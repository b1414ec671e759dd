//! Reading, with or without a writer in this process.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, LeaseId, RunId};
use dogwatch_core::job::{Job, Lease};
use dogwatch_store::{
    JobFilter, Page, PageRequest, Reads, RunFilter, RunView, StoreError, StoredLine,
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
}
