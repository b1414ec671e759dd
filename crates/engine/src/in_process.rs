//! The control plane for callers in the same process.

use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_api::{
    AppendEvents, Appended, Caller, CancelJob, Claim, Claimed, CleanUpRun, CompleteRun,
    ControlPlane, Heartbeat, HeartbeatReply, JobPage, JobRef, ListJobs, ListRuns, Problem,
    Recovered, ReleaseJob, Retried, RetryJob, RevokeLease, RunDetail, RunPage, StartRun, Started,
    Submit, Submitted,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::Job;

use crate::Engine;

/// The engine as one caller sees it.
#[derive(Clone)]
pub struct InProcess {
    engine: Arc<Engine>,
    caller: Caller,
}

impl InProcess {
    /// The engine for a caller.
    pub fn new(engine: Arc<Engine>, caller: Caller) -> Self {
        Self { engine, caller }
    }
}

#[async_trait]
impl ControlPlane for InProcess {
    async fn submit(&self, request: Submit) -> Result<Submitted, Problem> {
        self.engine.submit(&self.caller, request).await
    }
    async fn claim(&self, request: Claim) -> Result<Claimed, Problem> {
        self.engine.claim(&self.caller, request).await
    }
    async fn start(&self, request: StartRun) -> Result<Started, Problem> {
        self.engine.start(&self.caller, request).await
    }
    async fn heartbeat(&self, request: Heartbeat) -> Result<HeartbeatReply, Problem> {
        self.engine.heartbeat(&self.caller, request).await
    }
    async fn append_events(&self, request: AppendEvents) -> Result<Appended, Problem> {
        self.engine.append_events(&self.caller, request).await
    }
    async fn complete(&self, request: CompleteRun) -> Result<Job, Problem> {
        self.engine.complete(&self.caller, request).await
    }
    async fn release(&self, request: ReleaseJob) -> Result<Job, Problem> {
        self.engine.release(&self.caller, request).await
    }
    async fn clean_up(&self, request: CleanUpRun) -> Result<Job, Problem> {
        self.engine.clean_up(&self.caller, request).await
    }
    async fn revoke(&self, request: RevokeLease) -> Result<Recovered, Problem> {
        self.engine.revoke(&self.caller, request).await
    }
    async fn cancel(&self, request: CancelJob) -> Result<Job, Problem> {
        self.engine.cancel(&self.caller, request).await
    }
    async fn retry(&self, request: RetryJob) -> Result<Retried, Problem> {
        self.engine.retry(&self.caller, request).await
    }
    async fn job(&self, id: JobId) -> Result<Job, Problem> {
        self.engine.job(&self.caller, id).await
    }
    async fn run(&self, id: RunId) -> Result<RunDetail, Problem> {
        self.engine.run(&self.caller, id).await
    }
    async fn resolve(&self, text: &str) -> Result<JobRef, Problem> {
        self.engine.resolve(&self.caller, text).await
    }
    async fn list_jobs(&self, request: ListJobs) -> Result<JobPage, Problem> {
        self.engine.list_jobs(&self.caller, request).await
    }
    async fn list_runs(&self, request: ListRuns) -> Result<RunPage, Problem> {
        self.engine.list_runs(&self.caller, request).await
    }
    async fn run_lines(&self, run: RunId, after: u64) -> Result<Vec<Vec<u8>>, Problem> {
        self.engine.run_lines(&self.caller, run, after).await
    }
    async fn contract(&self, hash: Sha256Digest) -> Result<Vec<u8>, Problem> {
        self.engine.contract(&self.caller, hash).await
    }
}
