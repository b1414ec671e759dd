//! The store: a writer and the readers beside it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_core::ids::{JobId, LeaseId, RunId};
use dogwatch_core::job::{Job, Lease};
use dogwatch_core::{Clock, Entropy, Sha256Digest};
use dogwatch_store::{
    JobFilter, Maintenance, Page, PageRequest, Reads, RebuildReport, RunFilter, RunView,
    StoreError, StoredLine, Streams, Update, Updated,
};

use crate::audit;
use crate::error::OpenError;
use crate::open;
use crate::reader::SqliteReader;
use crate::writer::{Mint, Request, Writer};

/// A database opened to write.
///
/// Dropping it carries out what is queued, copies the write-ahead log into the database and closes it.
#[derive(Debug)]
pub struct SqliteStore {
    reader: SqliteReader,
    writer: Writer,
}

impl SqliteStore {
    /// Opens a database, creating it for its owner alone or bringing its schema up to date where needed. Blocks while it does.
    ///
    /// That only one process at a time does this is for the caller to see to; SQLite's own locks keep a second one from doing damage.
    pub fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let connection = open::writer(path)?;
        let writer = Writer::start(connection, path, Mint { clock, entropy })?;
        let reader = SqliteReader::open(path)?;
        Ok(Self { reader, writer })
    }

    /// Opens an existing database to read only: see [`SqliteReader::open`].
    pub fn open_read_only(path: &Path) -> Result<SqliteReader, OpenError> {
        SqliteReader::open(path)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.reader.pool.close();
        self.writer.close();
    }
}

#[async_trait]
impl Streams for SqliteStore {
    async fn update(&self, job: JobId, update: Update) -> Result<Updated, StoreError> {
        self.writer
            .ask(|reply| Request::Update { job, update, reply })
            .await
    }

    async fn update_next_ready(
        &self,
        filter: JobFilter,
        update: Update,
    ) -> Result<Option<Updated>, StoreError> {
        self.writer
            .ask(|reply| Request::NextReady {
                filter,
                update,
                reply,
            })
            .await
    }
}

#[async_trait]
impl Maintenance for SqliteStore {
    async fn rebuild(&self) -> Result<RebuildReport, StoreError> {
        self.writer.ask(|reply| Request::Rebuild { reply }).await
    }

    async fn check_chains(&self) -> Result<Vec<String>, StoreError> {
        self.reader.pool.read(audit::check_chains).await
    }
}

#[async_trait]
impl Reads for SqliteStore {
    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.reader.job(id).await
    }

    async fn jobs(&self, filter: JobFilter, page: PageRequest) -> Result<Page<Job>, StoreError> {
        self.reader.jobs(filter, page).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunView>, StoreError> {
        self.reader.run(id).await
    }

    async fn runs(
        &self,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<RunView>, StoreError> {
        self.reader.runs(filter, page).await
    }

    async fn find_ids(&self, text: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.reader.find_ids(text, limit).await
    }

    async fn events(
        &self,
        job: JobId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredLine>, StoreError> {
        self.reader.events(job, after, limit).await
    }

    async fn run_lines(
        &self,
        run: RunId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredLine>, StoreError> {
        self.reader.run_lines(run, after, limit).await
    }

    async fn contract(&self, hash: Sha256Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.contract(hash).await
    }

    async fn active_leases(&self) -> Result<Vec<(JobId, Lease)>, StoreError> {
        self.reader.active_leases().await
    }

    async fn renewals(&self, lease: LeaseId) -> Result<u64, StoreError> {
        self.reader.renewals(lease).await
    }
}
