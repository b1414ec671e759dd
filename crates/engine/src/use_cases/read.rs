//! Looking.

use dogwatch_api::{
    Caller, JobPage, JobRef, ListJobs, ListRuns, Problem, RunDetail, RunPage, Scope,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::Job;
use dogwatch_store::{JobFilter, PageRequest, RunFilter};

use crate::Engine;
use crate::problems;
use crate::reading::{detail, resolve};

/// How many lines one read of a journal returns at the most.
const LINES_PER_READ: u32 = 10_000;

impl Engine {
    pub(crate) async fn load(&self, id: JobId) -> Result<Job, Problem> {
        self.store
            .job(id)
            .await
            .map_err(problems::from_store)?
            .ok_or_else(|| problems::not_found("job_not_found", &id.to_string()))
    }

    pub(crate) async fn load_contract(&self, hash: Sha256Digest) -> Result<Vec<u8>, Problem> {
        self.store
            .contract(hash)
            .await
            .map_err(problems::from_store)?
            .ok_or_else(|| problems::not_found("contract_not_found", &format!("contract {hash}")))
    }

    /// A job.
    pub async fn job(&self, caller: &Caller, id: JobId) -> Result<Job, Problem> {
        Self::allow(caller, Scope::Read)?;
        let job = self.load(id).await?;
        Self::allow_project(caller, job.project)?;
        Ok(job)
    }

    /// A run.
    pub async fn run(&self, caller: &Caller, id: RunId) -> Result<RunDetail, Problem> {
        Self::allow(caller, Scope::Read)?;
        let view = self
            .store
            .run(id)
            .await
            .map_err(problems::from_store)?
            .ok_or_else(|| problems::not_found("run_not_found", &id.to_string()))?;
        Self::allow_project(caller, view.project)?;
        Ok(detail(view))
    }

    /// Jobs, newest first.
    pub async fn list_jobs(&self, caller: &Caller, request: ListJobs) -> Result<JobPage, Problem> {
        Self::allow(caller, Scope::Read)?;
        if let Some(project) = request.project {
            Self::allow_project(caller, project)?;
        }
        let page = self
            .store
            .jobs(
                JobFilter {
                    project: request.project,
                    statuses: request.statuses,
                },
                page(request.limit, request.cursor),
            )
            .await
            .map_err(problems::from_store)?;
        Ok(JobPage {
            items: page
                .items
                .into_iter()
                .filter(|job| caller.may_see(job.project))
                .collect(),
            next_cursor: page.next_cursor,
        })
    }

    /// Runs, newest first.
    pub async fn list_runs(&self, caller: &Caller, request: ListRuns) -> Result<RunPage, Problem> {
        Self::allow(caller, Scope::Read)?;
        if let Some(project) = request.project {
            Self::allow_project(caller, project)?;
        }
        let page = self
            .store
            .runs(
                RunFilter {
                    project: request.project,
                    job: request.job,
                },
                page(request.limit, request.cursor),
            )
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

    /// What a short id names.
    pub async fn resolve(&self, caller: &Caller, text: &str) -> Result<JobRef, Problem> {
        Self::allow(caller, Scope::Read)?;
        resolve(&*self.store, text).await
    }

    /// The lines of a journal after `after`.
    pub async fn run_lines(
        &self,
        caller: &Caller,
        run: RunId,
        after: u64,
    ) -> Result<Vec<Vec<u8>>, Problem> {
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

fn page(limit: Option<u32>, cursor: Option<String>) -> PageRequest {
    PageRequest {
        limit: limit.unwrap_or(50).clamp(1, 500),
        cursor,
    }
}
