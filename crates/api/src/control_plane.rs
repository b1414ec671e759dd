//! The control plane as its users see it: in the same process, or over HTTP.

use async_trait::async_trait;
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ApprovalId, JobId, MachineId, RunId, TokenId};
use dogwatch_core::job::Job;

use crate::problem::Problem;
use crate::requests::{
    AppendEvents, AppendOutput, Appended, ApprovalPage, ApprovalView, BundleFiles, CancelJob,
    Claim, Claimed, CleanUpRun, CompleteRun, CreateToken, CreatedToken, DecideApproval,
    DeclareBundle, EventPage, Heartbeat, HeartbeatReply, JobPage, JobRef, JobView, JudgeRun,
    LandRun, ListApprovals, ListEvents, ListJobs, ListRuns, OutputAppended, OutputList,
    OutputPiece, ParkRun, PostMessage, ReadOutput, Recovered, ReleaseJob, RequestApproval, Retried,
    RetryJob, RevokeLease, RunDetail, RunPage, RunnerList, StartRun, Started, Submit, Submitted,
    SyncRunner, Synced, TokenList, TokenView, Why,
};
use crate::wakeups::Wakeups;

/// Every use-case of the control plane. Each call is whole: done and durable, or refused with nothing changed.
#[async_trait]
pub trait ControlPlane: Send + Sync {
    // Those who ask for work.

    /// Asks for work. Errors: `contract_hash_mismatch`, `contract_invalid`, `idempotency_conflict`, `blob_not_found`.
    async fn submit(&self, request: Submit) -> Result<Submitted, Problem>;
    /// Calls a job off, at once or through its runner.
    async fn cancel(&self, request: CancelJob) -> Result<Job, Problem>;
    /// Asks for another attempt.
    async fn retry(&self, request: RetryJob) -> Result<Retried, Problem>;

    // Runners. Everything after `claim` carries the lease; a lease that is not the caller's any more is `lease_lost`, and nothing changes.

    /// Says who a runner is and what it has to offer. Errors: `protocol_too_old`.
    async fn sync(&self, request: SyncRunner) -> Result<Synced, Problem>;
    /// Takes jobs that are ready, each under a lease of its own; waits for some if asked to.
    async fn claim(&self, request: Claim) -> Result<Claimed, Problem>;
    /// Starts a run under a lease, or resumes the one that was parked.
    async fn start(&self, request: StartRun) -> Result<Started, Problem>;
    /// Renews leases and returns what to do with each.
    async fn heartbeat(&self, request: Heartbeat) -> Result<HeartbeatReply, Problem>;
    /// Posts progress for whoever follows.
    async fn post_message(&self, request: PostMessage) -> Result<(), Problem>;
    /// Mirrors journal lines. Errors: `journal_gap`, `journal_fork`.
    async fn append_events(&self, request: AppendEvents) -> Result<Appended, Problem>;
    /// Mirrors what an agent printed. Errors: `log_gap` with `expected`, `log_fork`.
    async fn append_output(&self, request: AppendOutput) -> Result<OutputAppended, Problem>;
    /// Keeps a payload by its digest. Repeating it changes nothing. Errors: `blob_digest_mismatch`, `blob_too_large`.
    async fn put_blob(&self, digest: Sha256Digest, bytes: Vec<u8>) -> Result<(), Problem>;
    /// Declares the files of a run's bundle, which are blobs that were sent before. Errors: `bundle_incomplete`.
    async fn declare_bundle(&self, request: DeclareBundle) -> Result<(), Problem>;
    /// Sets a run aside and ends the lease.
    async fn park(&self, request: ParkRun) -> Result<Job, Problem>;
    /// Closes a run and ends its lease. Repeating it changes nothing.
    async fn complete(&self, request: CompleteRun) -> Result<Job, Problem>;
    /// Gives a job back before a run was started.
    async fn release(&self, request: ReleaseJob) -> Result<Job, Problem>;
    /// Records what happened to a closed run's workspace.
    async fn clean_up(&self, request: CleanUpRun) -> Result<Job, Problem>;
    /// Takes a lease from a holder that is known to be dead.
    async fn revoke(&self, request: RevokeLease) -> Result<Recovered, Problem>;
    /// What wakes a runner before its next poll. A wake-up is never a grant.
    async fn wakeups(&self, machine: MachineId) -> Result<Box<dyn Wakeups>, Problem>;

    // Approvals.

    /// Asks a person on behalf of a running agent. Errors: `approval_too_large`.
    async fn request_approval(&self, request: RequestApproval) -> Result<ApprovalView, Problem>;
    /// Decides. Errors: `approval_not_found`, `approval_not_pending`, `approval_self`.
    async fn decide_approval(&self, request: DecideApproval) -> Result<ApprovalView, Problem>;
    /// Records what a person says about a closed run; saying it again changes nothing. Errors: `run_not_found`, `run_not_closed`,
    /// `evidence_incomplete`, `evidence_changed`, `not_promotable`, `already_landed`, `policy_denied`.
    async fn judge_run(&self, request: JudgeRun) -> Result<RunDetail, Problem>;
    /// Records where the change of a promoted run is. Errors: `not_promoted`, `already_landed`, `evidence_changed`.
    async fn land_run(&self, request: LandRun) -> Result<RunDetail, Problem>;
    /// Shows an approval. Errors: `approval_not_found`.
    async fn approval(&self, id: ApprovalId) -> Result<ApprovalView, Problem>;
    /// Approvals, newest first.
    async fn list_approvals(&self, request: ListApprovals) -> Result<ApprovalPage, Problem>;

    // Those who look.

    /// A job. Errors: `job_not_found`.
    async fn job(&self, id: JobId) -> Result<JobView, Problem>;
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
    /// What a run's agent printed: which streams there are.
    async fn list_output(&self, run: RunId) -> Result<OutputList, Problem>;
    /// What a run's agent printed: a piece of it.
    async fn read_output(&self, request: ReadOutput) -> Result<OutputPiece, Problem>;
    /// The stored bytes of a contract. Errors: `contract_not_found`.
    async fn contract(&self, hash: Sha256Digest) -> Result<Vec<u8>, Problem>;
    /// A payload by its digest. Errors: `blob_not_found`.
    async fn blob(&self, digest: Sha256Digest) -> Result<Vec<u8>, Problem>;
    /// The files of a run's bundle, if it was declared. Errors: `bundle_not_found`.
    async fn bundle(&self, run: RunId) -> Result<BundleFiles, Problem>;
    /// Why a job or run stands where it stands.
    async fn why(&self, what: JobRef) -> Result<Why, Problem>;
    /// The control log, oldest first.
    async fn list_events(&self, request: ListEvents) -> Result<EventPage, Problem>;
    /// The runners there are.
    async fn list_runners(&self) -> Result<RunnerList, Problem>;

    // Tokens.

    /// Makes a token. Errors: `scope_missing` where it would have more than its maker.
    async fn create_token(&self, request: CreateToken) -> Result<CreatedToken, Problem>;
    /// Takes a token back. Repeating it changes nothing. Errors: `token_not_found`.
    async fn revoke_token(&self, id: TokenId) -> Result<TokenView, Problem>;
    /// The tokens there are.
    async fn list_tokens(&self) -> Result<TokenList, Problem>;
}
