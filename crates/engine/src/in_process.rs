//! The control plane for callers in the same process.

use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_api::{
    AppendEvents, AppendOutput, Appended, ApprovalPage, ApprovalView, BundleFiles, Caller,
    CancelJob, Claim, Claimed, CleanUpRun, CompleteRun, ControlPlane, CreateToken, CreatedToken,
    DecideApproval, DeclareBundle, EventPage, Heartbeat, HeartbeatReply, JobPage, JobRef, JobView,
    JudgeRun, LandRun, ListApprovals, ListEvents, ListJobs, ListRuns, OutputAppended, OutputList,
    OutputPiece, ParkRun, PostMessage, Problem, ReadOutput, Recovered, ReleaseJob, RequestApproval,
    Retried, RetryJob, RevokeLease, RunDetail, RunPage, RunnerList, StartRun, Started, Submit,
    Submitted, SyncRunner, Synced, TokenList, TokenView, Wakeups, Why,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ApprovalId, JobId, MachineId, RunId, TokenId};
use dogwatch_core::job::Job;

use crate::Engine;
use crate::report::{About, RunnerCall, answered};

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

const fn call(failed: &'static str, about: About) -> RunnerCall {
    RunnerCall { failed, about }
}

#[async_trait]
impl ControlPlane for InProcess {
    async fn submit(&self, request: Submit) -> Result<Submitted, Problem> {
        self.engine.submit(&self.caller, request).await
    }
    async fn cancel(&self, request: CancelJob) -> Result<Job, Problem> {
        self.engine.cancel(&self.caller, request).await
    }
    async fn retry(&self, request: RetryJob) -> Result<Retried, Problem> {
        self.engine.retry(&self.caller, request).await
    }

    async fn sync(&self, request: SyncRunner) -> Result<Synced, Problem> {
        let call = call("sync.failed", About::default());
        answered(call, self.engine.sync(&self.caller, request).await)
    }
    async fn claim(&self, request: Claim) -> Result<Claimed, Problem> {
        let about = request.job.map_or_else(About::default, About::job);
        let call = call("claim.failed", about);
        answered(call, self.engine.claim(&self.caller, request).await)
    }
    async fn start(&self, request: StartRun) -> Result<Started, Problem> {
        let call = call("start.failed", About::run(request.held.job, request.run));
        answered(call, self.engine.start(&self.caller, request).await)
    }
    async fn heartbeat(&self, request: Heartbeat) -> Result<HeartbeatReply, Problem> {
        let call = call("heartbeat.failed", About::default());
        answered(call, self.engine.heartbeat(&self.caller, request).await)
    }
    async fn post_message(&self, request: PostMessage) -> Result<(), Problem> {
        let call = call("message.failed", About::run(request.held.job, request.run));
        answered(call, self.engine.post_message(&self.caller, request).await)
    }
    async fn append_events(&self, request: AppendEvents) -> Result<Appended, Problem> {
        let call = call("events.failed", About::run(request.held.job, request.run));
        answered(call, self.engine.append_events(&self.caller, request).await)
    }
    async fn append_output(&self, request: AppendOutput) -> Result<OutputAppended, Problem> {
        let call = call("logs.failed", About::run(request.held.job, request.run));
        answered(call, self.engine.append_output(&self.caller, request).await)
    }
    async fn put_blob(&self, digest: Sha256Digest, bytes: Vec<u8>) -> Result<(), Problem> {
        let call = call("blob.failed", About::default());
        answered(
            call,
            self.engine.put_blob(&self.caller, digest, bytes).await,
        )
    }
    async fn declare_bundle(&self, request: DeclareBundle) -> Result<(), Problem> {
        let call = call("bundle.failed", About::run(request.held.job, request.run));
        answered(
            call,
            self.engine.declare_bundle(&self.caller, request).await,
        )
    }
    async fn park(&self, request: ParkRun) -> Result<Job, Problem> {
        let call = call("park.failed", About::run(request.held.job, request.run));
        answered(call, self.engine.park(&self.caller, request).await)
    }
    async fn complete(&self, request: CompleteRun) -> Result<Job, Problem> {
        let call = call("complete.failed", About::run(request.held.job, request.run));
        answered(call, self.engine.complete(&self.caller, request).await)
    }
    async fn release(&self, request: ReleaseJob) -> Result<Job, Problem> {
        let call = call("release.failed", About::job(request.held.job));
        answered(call, self.engine.release(&self.caller, request).await)
    }
    async fn clean_up(&self, request: CleanUpRun) -> Result<Job, Problem> {
        let call = call("clean_up.failed", About::run(request.job, request.run));
        answered(call, self.engine.clean_up(&self.caller, request).await)
    }
    async fn revoke(&self, request: RevokeLease) -> Result<Recovered, Problem> {
        let call = call("revoke.failed", About::job(request.job));
        answered(call, self.engine.revoke(&self.caller, request).await)
    }
    async fn wakeups(&self, machine: MachineId) -> Result<Box<dyn Wakeups>, Problem> {
        let call = call("wakeups.failed", About::default());
        answered(call, self.engine.wakeups(&self.caller, machine).await)
    }

    async fn request_approval(&self, request: RequestApproval) -> Result<ApprovalView, Problem> {
        self.engine.request_approval(&self.caller, request).await
    }
    async fn decide_approval(&self, request: DecideApproval) -> Result<ApprovalView, Problem> {
        self.engine.decide_approval(&self.caller, request).await
    }
    async fn judge_run(&self, request: JudgeRun) -> Result<RunDetail, Problem> {
        self.engine.judge_run(&self.caller, request).await
    }
    async fn land_run(&self, request: LandRun) -> Result<RunDetail, Problem> {
        self.engine.land_run(&self.caller, request).await
    }
    async fn approval(&self, id: ApprovalId) -> Result<ApprovalView, Problem> {
        self.engine.approval(&self.caller, id).await
    }
    async fn list_approvals(&self, request: ListApprovals) -> Result<ApprovalPage, Problem> {
        self.engine.list_approvals(&self.caller, request).await
    }

    async fn job(&self, id: JobId) -> Result<JobView, Problem> {
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
    async fn list_output(&self, run: RunId) -> Result<OutputList, Problem> {
        self.engine.list_output(&self.caller, run).await
    }
    async fn read_output(&self, request: ReadOutput) -> Result<OutputPiece, Problem> {
        self.engine.read_output(&self.caller, request).await
    }
    async fn contract(&self, hash: Sha256Digest) -> Result<Vec<u8>, Problem> {
        self.engine.contract(&self.caller, hash).await
    }
    async fn blob(&self, digest: Sha256Digest) -> Result<Vec<u8>, Problem> {
        self.engine.blob(&self.caller, digest).await
    }
    async fn bundle(&self, run: RunId) -> Result<BundleFiles, Problem> {
        self.engine.bundle(&self.caller, run).await
    }
    async fn why(&self, what: JobRef) -> Result<Why, Problem> {
        self.engine.why(&self.caller, what).await
    }
    async fn list_events(&self, request: ListEvents) -> Result<EventPage, Problem> {
        self.engine.list_events(&self.caller, request).await
    }
    async fn list_runners(&self) -> Result<RunnerList, Problem> {
        self.engine.list_runners(&self.caller).await
    }

    async fn create_token(&self, request: CreateToken) -> Result<CreatedToken, Problem> {
        self.engine.create_token(&self.caller, request).await
    }
    async fn revoke_token(&self, id: TokenId) -> Result<TokenView, Problem> {
        self.engine.revoke_token(&self.caller, id).await
    }
    async fn list_tokens(&self) -> Result<TokenList, Problem> {
        self.engine.list_tokens(&self.caller).await
    }
}
