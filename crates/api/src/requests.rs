//! Requests and responses. They are data only; their meaning stands in the engine.

use std::time::Duration;

use dogwatch_core::event::Epoch;
use dogwatch_core::ids::{ClaimId, JobId, LeaseId, MachineId, ProjectId, RunId, SessionId};
use dogwatch_core::job::{
    Cleanup, Holder, Job, JobStatus, Lease, RunClosure, RunHeader, StartFrom,
};
use dogwatch_core::run::RunState;
use dogwatch_core::{Sha256Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// A request for work. The contract is authoritative; the other fields only route and order it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submit {
    /// The project.
    pub project: ProjectId,
    /// The agent session it is meant for.
    pub session: Option<SessionId>,
    /// The name that routes it.
    pub topic: String,
    /// The canonical bytes of the contract.
    pub contract: Vec<u8>,
    /// Their hash, as the caller computed it.
    pub contract_hash: Sha256Digest,
    /// Greater is sooner.
    pub priority: i32,
    /// Not to be started earlier.
    pub not_before: Option<Timestamp>,
    /// Worthless later.
    pub deadline: Option<Timestamp>,
    /// The same key gives the same job.
    pub idempotency_key: Option<String>,
    /// The W3C `traceparent` of the request.
    pub trace: Option<String>,
}

/// The answer to [`Submit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The job.
    pub job_id: JobId,
    /// Whether the key was used before, for the same request.
    pub replayed: bool,
}

/// A runner asks for work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// Names this request, so that a lost reply asked again returns the same leases.
    pub claim_id: ClaimId,
    /// The machine.
    pub machine: MachineId,
    /// The process, where it is on the server's own machine.
    pub holder: Option<Holder>,
    /// Only this job.
    pub job: Option<JobId>,
    /// The most jobs.
    pub max: u32,
}

/// A job with the right to run it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClaimedJob {
    /// The job.
    pub job: Job,
    /// The lease.
    pub lease: Lease,
    /// The contract's canonical bytes.
    pub contract: Vec<u8>,
}

/// The answer to [`Claim`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Claimed {
    /// The jobs.
    pub jobs: Vec<ClaimedJob>,
}

/// A job under the caller's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLease {
    /// The job.
    pub job: JobId,
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
}

/// The holder starts a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartRun {
    /// The lease.
    pub held: HeldLease,
    /// The run's id, chosen by the runner so that the call can be repeated.
    pub run: RunId,
    /// The agent session it belongs to.
    pub session: Option<SessionId>,
    /// The run it continues.
    pub continues: Option<RunId>,
    /// What its workspace starts from.
    pub start_from: StartFrom,
}

/// The answer to [`StartRun`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Started {
    /// The run.
    pub run: RunHeader,
}

/// A runner is alive and holds these leases.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The machine.
    pub machine: MachineId,
    /// Its leases.
    pub leases: Vec<HeldLease>,
}

/// What a runner should do with a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "directive", rename_all = "snake_case")]
pub enum Directive {
    /// Go on.
    Continue {
        /// How long the lease lives from the sending of the heartbeat.
        ttl: Duration,
    },
    /// Stop the run.
    Cancel {
        /// Why.
        reason: String,
    },
    /// The lease is not the caller's any more: end the run's processes, write nothing.
    Lost {
        /// The job's latest epoch.
        epoch: Epoch,
    },
}

/// The directive for one lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseDirective {
    /// The lease.
    pub lease: LeaseId,
    /// What to do.
    pub directive: Directive,
}

/// The answer to [`Heartbeat`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatReply {
    /// One directive for each lease named.
    pub leases: Vec<LeaseDirective>,
}

/// Lines of a run's journal, exactly as they stand in the local file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppendEvents {
    /// The lease.
    pub held: HeldLease,
    /// The run.
    pub run: RunId,
    /// The lines, without line ends.
    pub lines: Vec<Vec<u8>>,
}

/// The answer to [`AppendEvents`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// How many lines the server has now.
    pub lines: u64,
}

/// The holder reports the end of a run; the lease ends with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompleteRun {
    /// The lease.
    pub held: HeldLease,
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub closure: RunClosure,
}

/// The holder gives a job back before it started a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseJob {
    /// The lease.
    pub held: HeldLease,
    /// Why.
    pub reason: String,
}

/// What happened to the workspace of a closed run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CleanUpRun {
    /// The job.
    pub job: JobId,
    /// The run.
    pub run: RunId,
    /// What happened.
    pub cleanup: Cleanup,
}

/// A lease is taken from a holder that is known to be dead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevokeLease {
    /// The job.
    pub job: JobId,
    /// The lease.
    pub lease: LeaseId,
    /// How its open run is closed, if it has one.
    pub closure: RunClosure,
    /// Why.
    pub reason: String,
}

/// The answer to [`RevokeLease`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Where the job stands now.
    pub status: JobStatus,
}

/// Someone calls a job off.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CancelJob {
    /// The job.
    pub job: JobId,
    /// Why.
    pub reason: String,
}

/// Someone asks for another attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RetryJob {
    /// The job.
    pub job: JobId,
    /// Why.
    pub reason: String,
    /// The same key gives the same job.
    pub idempotency_key: Option<String>,
}

/// The answer to [`RetryJob`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// The job that will run: the same one if it was blocked or queued, a new one otherwise.
    pub job_id: JobId,
    /// Whether it is a new job.
    pub new: bool,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ListJobs {
    /// Of one project.
    pub project: Option<ProjectId>,
    /// In one of these states; empty means any.
    pub statuses: Vec<JobStatus>,
    /// The most items.
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which runs to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ListRuns {
    /// Of one project.
    pub project: Option<ProjectId>,
    /// Of one job.
    pub job: Option<JobId>,
    /// The most items.
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobPage {
    /// The jobs.
    pub items: Vec<Job>,
    /// Where the next page starts, if there is one.
    pub next_cursor: Option<String>,
}

/// A run: its header and what its journal says so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunDetail {
    /// Its id.
    pub id: RunId,
    /// Its job.
    pub job: JobId,
    /// Its project.
    pub project: ProjectId,
    /// What the control stream says.
    pub header: RunHeader,
    /// What its journal says.
    pub state: RunState,
}

/// A page of runs, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunPage {
    /// The runs.
    pub items: Vec<RunDetail>,
    /// Where the next page starts, if there is one.
    pub next_cursor: Option<String>,
}

/// Names a job or run by its id, the start of it, or the end of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JobRef {
    /// A job.
    Job(JobId),
    /// A run.
    Run(RunId),
}
