//! The store, opened to look.

use dogwatch_api::{JobRef, JobView, RunDetail, SyncRunner};
use dogwatch_core::Clock;
use dogwatch_core::ids::{JobId, MachineId, RunId};
use dogwatch_core::job::Job;
use dogwatch_core::queue::{self, Offer};
use dogwatch_engine::reading;
use dogwatch_store::{JobFilter, Page, PageRequest, Reads, RunFilter, StoreError};
use dogwatch_store_sqlite::SqliteReader;
use dogwatch_supervisor::os::clock::SystemClock;
use tokio::runtime::{Builder, Runtime};

use crate::context::Context;
use crate::error::CliError;

/// A store that is only looked at, with the small runtime its reads need.
pub(in crate::commands) struct Readings {
    store: SqliteReader,
    runtime: Runtime,
}

impl Readings {
    /// Opens the store; that there is none is an error.
    pub(in crate::commands) fn open(context: &Context) -> Result<Self, CliError> {
        let store = context.reader()?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CliError::new("runtime", error.to_string()))?;
        Ok(Self { store, runtime })
    }

    /// Opens the store if there is one. A store that is there and cannot be read is still an error.
    pub(in crate::commands) fn open_if_any(context: &Context) -> Result<Option<Self>, CliError> {
        match Self::open(context) {
            Ok(readings) => Ok(Some(readings)),
            Err(error) if error.code() == "no_data" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A page of jobs, newest first, with what the queue says of each.
    pub(in crate::commands) fn jobs(
        &self,
        filter: JobFilter,
        page: PageRequest,
    ) -> Result<Page<JobView>, CliError> {
        let page = self.ask(self.store.jobs(filter, page))?;
        let offers = self.offers()?;
        Ok(Page {
            items: page
                .items
                .into_iter()
                .map(|job| viewed(job, &offers))
                .collect(),
            next_cursor: page.next_cursor,
        })
    }

    /// A job with what the queue says of it.
    pub(in crate::commands) fn view(&self, job: Job) -> Result<JobView, CliError> {
        Ok(viewed(job, &self.offers()?))
    }

    /// What the runners that are known have to offer. Where none is, the server that the next command starts takes anything.
    fn offers(&self) -> Result<Vec<Offer>, CliError> {
        let mut offers: Vec<Offer> = self
            .ask(self.store.runners())?
            .iter()
            .filter_map(|runner| serde_json::from_slice::<SyncRunner>(&runner.bytes).ok())
            .map(|runner| runner.offer)
            .collect();
        if offers.is_empty() {
            offers.push(Offer::anything(MachineId::from_uuid(uuid::Uuid::nil())));
        }
        Ok(offers)
    }

    /// A page of runs, newest first.
    pub(in crate::commands) fn runs(
        &self,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<RunDetail>, CliError> {
        let page = self.ask(self.store.runs(filter, page))?;
        Ok(Page {
            items: page.items.into_iter().map(reading::detail).collect(),
            next_cursor: page.next_cursor,
        })
    }

    /// The job that is named, or whose run is.
    pub(in crate::commands) fn job_named(&self, text: &str) -> Result<Job, CliError> {
        match self.resolve(text)? {
            JobRef::Job(id) => self.job(id),
            JobRef::Run(id) => self.job(self.run(id)?.job),
        }
    }

    /// The run that is named, or the latest run of the job that is.
    pub(in crate::commands) fn run_named(&self, text: &str) -> Result<RunDetail, CliError> {
        let id = match self.resolve(text)? {
            JobRef::Run(id) => id,
            JobRef::Job(id) => self.latest_run(&self.job(id)?)?,
        };
        self.run(id)
    }

    fn latest_run(&self, job: &Job) -> Result<RunId, CliError> {
        job.runs.last().map(|run| run.id).ok_or_else(|| {
            CliError::new(
                "no_run",
                format!("{} has no run: it is {}", job.id, job.state.status()),
            )
            .next(format!("dogwatch jobs show {}", job.id.short()))
        })
    }

    fn resolve(&self, text: &str) -> Result<JobRef, CliError> {
        Ok(self
            .runtime
            .block_on(reading::resolve(&self.store, text.trim()))?)
    }

    fn job(&self, id: JobId) -> Result<Job, CliError> {
        self.ask(self.store.job(id))?
            .ok_or_else(|| gone(&id.to_string()))
    }

    fn run(&self, id: RunId) -> Result<RunDetail, CliError> {
        self.ask(self.store.run(id))?
            .map(reading::detail)
            .ok_or_else(|| gone(&id.to_string()))
    }

    fn ask<T>(&self, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, CliError> {
        self.runtime.block_on(read).map_err(|error| {
            let next = if matches!(error, StoreError::BadCursor(_)) {
                "start again without --cursor"
            } else {
                "keep a copy of the data directory, then run `dogwatch doctor`"
            };
            CliError::from_error(error.code(), &error).next(next)
        })
    }
}

fn viewed(job: Job, offers: &[Offer]) -> JobView {
    let queue = queue::view(&job, SystemClock.now(), offers);
    JobView::new(job, queue)
}

/// An index knows the id and the table does not: the projections are out of step.
fn gone(id: &str) -> CliError {
    CliError::new(
        "store_corrupt",
        format!("{id} is listed and cannot be read"),
    )
    .next("keep a copy of the data directory, then run `dogwatch doctor`")
}
