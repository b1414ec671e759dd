//! Looking at jobs and runs.

use dogwatch_api::{
    Caller, JobPage, JobRef, JobView, ListJobs, ListRuns, Problem, RunDetail, RunPage, Scope,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::Job;
use dogwatch_core::queue;
use dogwatch_store::{JobFilter, PageRequest, RunFilter, RunView};

use crate::Engine;
use crate::access::{agent, own_run};
use crate::problems;
use crate::reading::{detail, named, resolve};

/// How many lines one read of a journal returns at the most.
const LINES_PER_READ: u32 = 10_000;

/// How many things of a short id are looked at for a caller that does not see all of them.
const MAX_CANDIDATES: u32 = 100;

impl Engine {
    pub(crate) async fn load(&self, id: JobId) -> Result<Job, Problem> {
        self.store
            .job(id)
            .await
            .map_err(problems::from_store)?
            .ok_or_else(|| problems::not_found("job_not_found", &id.to_string()))
    }

    pub(crate) async fn run_view(&self, id: RunId) -> Result<RunView, Problem> {
        self.store
            .run(id)
            .await
            .map_err(problems::from_store)?
            .ok_or_else(|| problems::not_found("run_not_found", &id.to_string()))
    }

    pub(crate) async fn load_contract(&self, hash: Sha256Digest) -> Result<Vec<u8>, Problem> {
        self.store
            .contract(hash)
            .await
            .map_err(problems::from_store)?
            .ok_or_else(|| problems::not_found("contract_not_found", &format!("contract {hash}")))
    }

    /// A job, and what the queue says of it.
    pub async fn job(&self, caller: &Caller, id: JobId) -> Result<JobView, Problem> {
        match agent(caller) {
            Some(claim) if claim.job == id => {}
            Some(claim) => return Err(problems::other_run(claim.run)),
            None => Self::allow(caller, Scope::Read)?,
        }
        let job = self.load(id).await?;
        Self::allow_project(caller, job.project)?;
        let queue = queue::view(&job, self.clock.now(), &self.known.offers().await?);
        Ok(JobView::new(job, queue))
    }

    /// A run.
    pub async fn run(&self, caller: &Caller, id: RunId) -> Result<RunDetail, Problem> {
        match agent(caller) {
            Some(claim) => own_run(claim, id)?,
            None => Self::allow(caller, Scope::Read)?,
        }
        let view = self.run_view(id).await?;
        Self::allow_project(caller, view.project)?;
        Ok(detail(view))
    }

    /// Jobs, newest first.
    pub async fn list_jobs(&self, caller: &Caller, request: ListJobs) -> Result<JobPage, Problem> {
        Self::allow(caller, Scope::Read)?;
        let filter = JobFilter {
            project: Self::listed_project(caller, request.project)?,
            statuses: request.statuses,
        };
        let page = self
            .store
            .jobs(filter, page(request.limit, request.cursor))
            .await
            .map_err(problems::from_store)?;
        let offers = self.known.offers().await?;
        let now = self.clock.now();
        Ok(JobPage {
            items: page
                .items
                .into_iter()
                .filter(|job| caller.may_see(job.project))
                .map(|job| {
                    let queue = queue::view(&job, now, &offers);
                    JobView::new(job, queue)
                })
                .collect(),
            next_cursor: page.next_cursor,
        })
    }

    /// Runs, newest first.
    pub async fn list_runs(&self, caller: &Caller, request: ListRuns) -> Result<RunPage, Problem> {
        Self::allow(caller, Scope::Read)?;
        let filter = RunFilter {
            project: Self::listed_project(caller, request.project)?,
            job: request.job,
        };
        let page = self
            .store
            .runs(filter, page(request.limit, request.cursor))
            .await
            .map_err(problems::from_store)?;
        Ok(RunPage {
            items: page
                .items
                .into_iter()
                .filter(|run| caller.may_see(run.project))
                .map(detail)
                .collect(),
            next_cursor: page.next_cursor,
        })
    }

    /// What a short id names, among what the caller may see.
    pub async fn resolve(&self, caller: &Caller, text: &str) -> Result<JobRef, Problem> {
        Self::allow(caller, Scope::Read)?;
        if caller.projects.is_none() {
            return resolve(&*self.store, text).await;
        }
        let found = self.store.find_ids(text, MAX_CANDIDATES).await;
        let mut visible = Vec::new();
        for id in found.map_err(problems::from_store)? {
            if self.may_see(caller, &id).await? {
                visible.push(id);
            }
        }
        named(&visible, text)
    }

    async fn may_see(&self, caller: &Caller, id: &str) -> Result<bool, Problem> {
        let project = match named(&[id.to_owned()], id)? {
            JobRef::Job(job) => self.load(job).await?.project,
            JobRef::Run(run) => self.run_view(run).await?.project,
        };
        Ok(caller.may_see(project))
    }

    /// The lines of a journal after `after`.
    pub async fn run_lines(
        &self,
        caller: &Caller,
        run: RunId,
        after: u64,
    ) -> Result<Vec<Vec<u8>>, Problem> {
        Self::allow(caller, Scope::Read)?;
        self.run(caller, run).await?;
        Ok(self
            .store
            .run_lines(run, after, LINES_PER_READ)
            .await
            .map_err(problems::from_store)?
            .into_iter()
            .map(|stored| stored.line)
            .collect())
    }

    /// The stored bytes of a contract.
    pub async fn contract(&self, caller: &Caller, hash: Sha256Digest) -> Result<Vec<u8>, Problem> {
        Self::allow(caller, Scope::Read)?;
        self.load_contract(hash).await
    }
}

pub(super) fn page(limit: Option<u32>, cursor: Option<String>) -> PageRequest {
    PageRequest {
        limit: limit.unwrap_or(50).clamp(1, 500),
        cursor,
    }
}
