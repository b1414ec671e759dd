//! The store: a writer and the readers beside it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_core::ids::{ApprovalId, JobId, LeaseId, RunId};
use dogwatch_core::job::{Job, Lease};
use dogwatch_core::queue::Offer;
use dogwatch_core::server::ServerState;
use dogwatch_core::{Clock, Entropy, Sha256Digest, Timestamp};
use dogwatch_store::{
    ApprovalFilter, ApprovalRow, JobFilter, JobTimer, LogFilter, LogLine, Maintenance, Page,
    PageRequest, Reads, RebuildReport, RunFilter, RunView, RunnerRow, ServerUpdate, ServerUpdated,
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
        offer: Offer,
        update: Update,
    ) -> Result<Option<Updated>, StoreError> {
        self.writer
            .ask(|reply| Request::NextReady {
                offer,
                update,
                reply,
            })
            .await
    }

    async fn update_server(&self, update: ServerUpdate) -> Result<ServerUpdated, StoreError> {
        self.writer
            .ask(|reply| Request::Server { update, reply })
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

    async fn server_state(&self) -> Result<ServerState, StoreError> {
        self.reader.server_state().await
    }

    async fn runners(&self) -> Result<Vec<RunnerRow>, StoreError> {
        self.reader.runners().await
    }

    async fn log(&self, filter: LogFilter) -> Result<Vec<LogLine>, StoreError> {
        self.reader.log(filter).await
    }

    async fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        self.reader.approval(id).await
    }

    async fn approvals(
        &self,
        filter: ApprovalFilter,
        page: PageRequest,
    ) -> Result<Page<ApprovalRow>, StoreError> {
        self.reader.approvals(filter, page).await
    }

    async fn steady_timers(&self) -> Result<Vec<JobTimer>, StoreError> {
        self.reader.steady_timers().await
    }

    async fn wall_timers(&self, until: Timestamp, limit: u32) -> Result<Vec<JobTimer>, StoreError> {
        self.reader.wall_timers(until, limit).await
    }

    async fn bundle_files(
        &self,
        run: RunId,
    ) -> Result<Option<BTreeMap<String, Sha256Digest>>, StoreError> {
        self.reader.bundle_files(run).await
    }

    async fn unfinished(&self) -> Result<u64, StoreError> {
        self.reader.unfinished().await
    }
}
