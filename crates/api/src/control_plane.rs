//! The control plane as its users see it: in the same process today, over HTTP later.

use async_trait::async_trait;
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::Job;

use crate::problem::Problem;
use crate::requests::{
    AppendEvents, Appended, CancelJob, Claim, Claimed, CleanUpRun, CompleteRun, Heartbeat,
    HeartbeatReply, JobPage, JobRef, ListJobs, ListRuns, Recovered, ReleaseJob, Retried, RetryJob,
    RevokeLease, RunDetail, RunPage, StartRun, Started, Submit, Submitted,
};

/// Every use-case of the control plane. Each call is whole: done and durable, or refused with nothing changed.
#[async_trait]
pub trait ControlPlane: Send + Sync {
    /// Asks for work. Errors: `contract_hash_mismatch`, `contract_invalid`, `idempotency_conflict`.
    async fn submit(&self, request: Submit) -> Result<Submitted, Problem>;
    /// Takes jobs that are ready, each under a lease of its own.
    async fn claim(&self, request: Claim) -> Result<Claimed, Problem>;
    /// Starts a run under a lease. Errors: `lease_lost`.
    async fn start(&self, request: StartRun) -> Result<Started, Problem>;
    /// Renews leases and returns what to do with each.
    async fn heartbeat(&self, request: Heartbeat) -> Result<HeartbeatReply, Problem>;
    /// Mirrors journal lines. Errors: `lease_lost`, `journal_gap`, `journal_fork`.
    async fn append_events(&self, request: AppendEvents) -> Result<Appended, Problem>;
    /// Closes a run and ends its lease. Repeating it changes nothing. Errors: `lease_lost`.
    async fn complete(&self, request: CompleteRun) -> Result<Job, Problem>;
    /// Gives a job back before a run was started. Errors: `lease_lost`.
    async fn release(&self, request: ReleaseJob) -> Result<Job, Problem>;
    /// Records what happened to a closed run's workspace.
    async fn clean_up(&self, request: CleanUpRun) -> Result<Job, Problem>;
    /// Takes a lease from a holder that is known to be dead.
    async fn revoke(&self, request: RevokeLease) -> Result<Recovered, Problem>;
    /// Calls a job off, at once or through its runner.
    async fn cancel(&self, request: CancelJob) -> Result<Job, Problem>;
    /// Asks for another attempt.
    async fn retry(&self, request: RetryJob) -> Result<Retried, Problem>;
    /// A job. Errors: `job_not_found`.
    async fn job(&self, id: JobId) -> Result<Job, Problem>;
    /// A run. Errors: `run_not_found`.
    async fn run(&self, id: RunId) -> Result<RunDetail, Problem>;
    /// What a person's short id names. Errors: `not_found`, `ambiguous_id`.
    async fn resolve(&self, text: &str) -> Result<JobRef, Problem>;
    /// Jobs, newest first.
    async fn list_jobs(&self, request: ListJobs) -> Result<JobPage, Problem>;
    /// Runs, newest first.
    async fn list_runs(&self, request: ListRuns) -> Result<RunPage, Problem>;
    /// The lines of a run's journal after `after`, as the server holds them.
    async fn run_lines(&self, run: RunId, after: u64) -> Result<Vec<Vec<u8>>, Problem>;
    /// The stored bytes of a contract. Errors: `contract_not_found`.
    async fn contract(&self, hash: Sha256Digest) -> Result<Vec<u8>, Problem>;
}
