//! Every use-case as one request.

use std::time::Duration;

use async_trait::async_trait;
use dogwatch_api::{
    AppendEvents, AppendOutput, Appended, ApprovalPage, ApprovalView, BundleFiles, CancelJob,
    Claim, Claimed, CleanUpRun, CompleteRun, ControlPlane, CreateToken, CreatedToken,
    DecideApproval, DeclareBundle, EventPage, Heartbeat, HeartbeatReply, JobPage, JobRef, JobView,
    JudgeRun, LandRun, ListApprovals, ListEvents, ListJobs, ListRuns, OutputAppended, OutputList,
    OutputPiece, ParkRun, PostMessage, Problem, ProblemCode, ReadOutput, Recovered, ReleaseJob,
    RequestApproval, Retried, RetryJob, RevokeLease, RunDetail, RunPage, RunVerdict, RunnerList,
    StartRun, Started, Submit, Submitted, SyncRunner, Synced, TokenList, TokenView, Wakeups, Why,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ApprovalId, JobId, MachineId, RunId, TokenId};
use dogwatch_core::job::Job;

use crate::Client;
use crate::answer::answer_invalid;
use crate::call::{Call, Twice};
use crate::feed::Feed;
use crate::wakeups::StreamedWakeups;

/// The longest long poll that the protocol has.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The largest payload that is read.
const BLOB_BYTES: usize = 512 << 20;

/// With a key, the second request gets the answer of the first.
fn keyed(key: Option<&String>) -> Twice {
    match key {
        Some(_) => Twice::Same,
        None => Twice::Another,
    }
}

#[async_trait]
impl ControlPlane for Client {
    async fn submit(&self, mut request: Submit) -> Result<Submitted, Problem> {
        let key = request.idempotency_key.take();
        let trace = request.trace.take();
        let call = Call::post("v1/jobs", &request, keyed(key.as_ref()))?
            .header("idempotency-key", key.as_deref())?
            .header("traceparent", trace.as_deref())?;
        self.connection.document(call).await
    }

    async fn cancel(&self, request: CancelJob) -> Result<Job, Problem> {
        let path = format!("v1/jobs/{}/cancel", request.job);
        let call = Call::post(path, &request, Twice::Another)?;
        self.connection.document(call).await
    }

    async fn retry(&self, mut request: RetryJob) -> Result<Retried, Problem> {
        let key = request.idempotency_key.take();
        let path = format!("v1/jobs/{}/retry", request.job);
        let call = Call::post(path, &request, keyed(key.as_ref()))?
            .header("idempotency-key", key.as_deref())?;
        self.connection.document(call).await
    }

    async fn sync(&self, request: SyncRunner) -> Result<Synced, Problem> {
        let call = Call::post("v1/runner/sync", &request, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn claim(&self, request: Claim) -> Result<Claimed, Problem> {
        let waits = Duration::from_millis(request.wait_ms).min(LONGEST_WAIT);
        let call = Call::post("v1/runner/jobs/claim", &request, Twice::Same)?.waits(waits);
        self.connection.document(call).await
    }

    async fn start(&self, request: StartRun) -> Result<Started, Problem> {
        let path = of_job(request.held.job, "start");
        let call = Call::post(path, &request, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn heartbeat(&self, request: Heartbeat) -> Result<HeartbeatReply, Problem> {
        let call = Call::post("v1/runner/heartbeat", &request, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn post_message(&self, request: PostMessage) -> Result<(), Problem> {
        let path = of_job(request.held.job, "messages");
        let call = Call::post(path, &request, Twice::Another)?;
        self.connection.done(call).await
    }

    async fn append_events(&self, request: AppendEvents) -> Result<Appended, Problem> {
        let path = of_job(request.held.job, "events");
        let call = Call::post(path, &request, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn append_output(&self, request: AppendOutput) -> Result<OutputAppended, Problem> {
        let path = of_job(request.held.job, "logs");
        let call = Call::post(path, &request, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn put_blob(&self, digest: Sha256Digest, bytes: Vec<u8>) -> Result<(), Problem> {
        let call = Call::put(format!("v1/blobs/{digest}"), bytes);
        self.connection.done(call).await
    }

    async fn declare_bundle(&self, request: DeclareBundle) -> Result<(), Problem> {
        let path = of_job(request.held.job, "bundle");
        let call = Call::post(path, &request, Twice::Same)?;
        self.connection.done(call).await
    }

    async fn park(&self, request: ParkRun) -> Result<Job, Problem> {
        let path = of_job(request.held.job, "park");
        let call = Call::post(path, &request, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn complete(&self, request: CompleteRun) -> Result<Job, Problem> {
        let path = of_job(request.held.job, "complete");
        let call = Call::post(path, &request, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn release(&self, request: ReleaseJob) -> Result<Job, Problem> {
        let path = of_job(request.held.job, "release");
        let call = Call::post(path, &request, Twice::Another)?;
        self.connection.document(call).await
    }

    async fn clean_up(&self, request: CleanUpRun) -> Result<Job, Problem> {
        let path = of_job(request.job, "cleanup");
        let call = Call::post(path, &request, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn revoke(&self, request: RevokeLease) -> Result<Recovered, Problem> {
        let path = of_job(request.job, "revoke");
        let call = Call::post(path, &request, Twice::Another)?;
        self.connection.document(call).await
    }

    async fn wakeups(&self, machine: MachineId) -> Result<Box<dyn Wakeups>, Problem> {
        let call = Call::get("v1/runner/events/stream").query("machine", Some(machine));
        let feed = Feed::new(self.connection.clone(), call, None)
            .opened()
            .await?;
        Ok(Box::new(StreamedWakeups { feed: Some(feed) }))
    }

    async fn request_approval(&self, request: RequestApproval) -> Result<ApprovalView, Problem> {
        let twice = match request.id {
            Some(_) => Twice::Same,
            None => Twice::Another,
        };
        let call = Call::post("v1/approvals", &request, twice)?;
        self.connection.document(call).await
    }

    async fn decide_approval(&self, request: DecideApproval) -> Result<ApprovalView, Problem> {
        let path = format!("v1/approvals/{}/decide", request.approval);
        let call = Call::post(path, &request, Twice::Another)?;
        self.connection.document(call).await
    }

    async fn judge_run(&self, request: JudgeRun) -> Result<RunDetail, Problem> {
        let verb = match request.verdict {
            RunVerdict::Promote => "promote",
            RunVerdict::Reject => "reject",
        };
        let path = format!("v1/runs/{}/{verb}", request.run);
        let body = serde_json::json!({
            "run": request.run, "manifest": request.manifest, "reason": request.reason,
        });
        self.connection
            .document(Call::post(path, &body, Twice::Same)?)
            .await
    }

    async fn land_run(&self, request: LandRun) -> Result<RunDetail, Problem> {
        let path = format!("v1/runs/{}/landed", request.run);
        let call = Call::post(path, &request, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn approval(&self, id: ApprovalId) -> Result<ApprovalView, Problem> {
        let call = Call::get(format!("v1/approvals/{id}"));
        self.connection.document(call).await
    }

    async fn list_approvals(&self, request: ListApprovals) -> Result<ApprovalPage, Problem> {
        let states = request.states.iter().map(|state| state.as_str());
        let call = Call::get("v1/approvals")
            .query("project", request.project)
            .query("state", joined(states))
            .query("limit", request.limit)
            .query("cursor", request.cursor);
        self.connection.document(call).await
    }

    async fn job(&self, id: JobId) -> Result<JobView, Problem> {
        self.connection
            .document(Call::get(format!("v1/jobs/{id}")))
            .await
    }

    async fn run(&self, id: RunId) -> Result<RunDetail, Problem> {
        self.connection
            .document(Call::get(format!("v1/runs/{id}")))
            .await
    }

    async fn resolve(&self, text: &str) -> Result<JobRef, Problem> {
        if matches!(text, "" | "." | "..") {
            // They would name another route.
            return Err(Problem::new(
                ProblemCode::NotFound,
                "not_found",
                format!("nothing is called `{text}`"),
                "list what there is with `dogwatch jobs list` or `dogwatch runs list`",
            ));
        }
        let call = Call::get("v1/resolve").below(text);
        self.connection.document(call).await
    }

    async fn list_jobs(&self, request: ListJobs) -> Result<JobPage, Problem> {
        let statuses = request.statuses.iter().map(|status| status.as_str());
        let call = Call::get("v1/jobs")
            .query("project", request.project)
            .query("status", joined(statuses))
            .query("limit", request.limit)
            .query("cursor", request.cursor);
        self.connection.document(call).await
    }

    async fn list_runs(&self, request: ListRuns) -> Result<RunPage, Problem> {
        let call = Call::get("v1/runs")
            .query("project", request.project)
            .query("job", request.job)
            .query("limit", request.limit)
            .query("cursor", request.cursor);
        self.connection.document(call).await
    }

    async fn run_lines(&self, run: RunId, after: u64) -> Result<Vec<Vec<u8>>, Problem> {
        let call = Call::get(format!("v1/runs/{run}/journal")).query("after", Some(after));
        let text = self.connection.bytes(call).await?;
        if text.last().is_some_and(|last| *last != b'\n') {
            return Err(answer_invalid(format!(
                "{} answers with a line that has no end",
                self.connection.server
            )));
        }
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        Ok(lines.map(|line| line[..line.len() - 1].to_vec()).collect())
    }

    async fn list_output(&self, run: RunId) -> Result<OutputList, Problem> {
        let call = Call::get(format!("v1/runs/{run}/logs"));
        self.connection.document(call).await
    }

    async fn read_output(&self, request: ReadOutput) -> Result<OutputPiece, Problem> {
        let path = format!(
            "v1/runs/{}/logs/{}/{}",
            request.run,
            request.turn,
            stream_name(request.stream)
        );
        let call = Call::get(path)
            .query("offset", Some(request.offset))
            .query("limit", Some(request.limit));
        self.connection.document(call).await
    }

    async fn contract(&self, hash: Sha256Digest) -> Result<Vec<u8>, Problem> {
        let bytes = self
            .connection
            .bytes(Call::get(format!("v1/contracts/{hash}")))
            .await?;
        self.checked(hash, bytes)
    }

    async fn blob(&self, digest: Sha256Digest) -> Result<Vec<u8>, Problem> {
        let call = Call::get(format!("v1/blobs/{digest}")).most(BLOB_BYTES);
        let bytes = self.connection.bytes(call).await?;
        self.checked(digest, bytes)
    }

    async fn bundle(&self, run: RunId) -> Result<BundleFiles, Problem> {
        let call = Call::get(format!("v1/runs/{run}/bundle"));
        self.connection.document(call).await
    }

    async fn why(&self, what: JobRef) -> Result<Why, Problem> {
        let call = Call::get(format!("v1/why/{what}"));
        self.connection.document(call).await
    }

    async fn list_events(&self, request: ListEvents) -> Result<EventPage, Problem> {
        let call = Call::get("v1/events")
            .query("after", request.after)
            .query("job", request.job)
            .query("project", request.project)
            .query("limit", request.limit);
        self.connection.document(call).await
    }

    async fn list_runners(&self) -> Result<RunnerList, Problem> {
        self.connection.document(Call::get("v1/runners")).await
    }

    async fn create_token(&self, request: CreateToken) -> Result<CreatedToken, Problem> {
        let call = Call::post("v1/tokens", &request, Twice::Another)?;
        self.connection.document(call).await
    }

    async fn revoke_token(&self, id: TokenId) -> Result<TokenView, Problem> {
        let body = serde_json::json!({});
        let call = Call::post(format!("v1/tokens/{id}/revoke"), &body, Twice::Same)?;
        self.connection.document(call).await
    }

    async fn list_tokens(&self) -> Result<TokenList, Problem> {
        self.connection.document(Call::get("v1/tokens")).await
    }
}

impl Client {
    /// What is named by its digest is believed only when it has it.
    fn checked(&self, digest: Sha256Digest, bytes: Vec<u8>) -> Result<Vec<u8>, Problem> {
        let actual = Sha256Digest::of(&bytes);
        if actual == digest {
            return Ok(bytes);
        }
        Err(answer_invalid(format!(
            "{} answers with bytes that hash to {actual} where {digest} was asked for",
            self.connection.server
        )))
    }
}

fn of_job(job: JobId, what: &str) -> String {
    format!("v1/runner/jobs/{job}/{what}")
}

/// A list as one parameter; none if it is empty.
fn joined(names: impl Iterator<Item = &'static str>) -> Option<String> {
    let names: Vec<_> = names.collect();
    (!names.is_empty()).then(|| names.join(","))
}

fn stream_name(stream: dogwatch_api::OutputStream) -> &'static str {
    match stream {
        dogwatch_api::OutputStream::Stdout => "stdout",
        dogwatch_api::OutputStream::Stderr => "stderr",
    }
}
