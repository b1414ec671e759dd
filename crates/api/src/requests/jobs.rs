//! Asking for work, and what becomes of it.

use std::fmt;

use dogwatch_core::ids::{JobId, ProjectId, RunId, SessionId};
use dogwatch_core::job::{GoOn, Job, JobStatus, Lease};
use dogwatch_core::queue::{Constraint, QueueView, Unmet};
use dogwatch_core::schemars;
use dogwatch_core::{Sha256Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// A request for work. The contract is authoritative; the other fields only route and order it.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Submit {
    /// The project.
    pub project: ProjectId,
    /// The agent session it is meant for.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// Whether no other session will do.
    #[serde(default)]
    pub exact: bool,
    /// The name that routes it.
    pub topic: String,
    /// The canonical bytes of the contract, as text.
    #[serde(with = "super::text::one")]
    #[schemars(with = "String")]
    pub contract: Vec<u8>,
    /// Their hash, as the caller computed it.
    pub contract_hash: Sha256Digest,
    /// Greater is sooner.
    #[serde(default)]
    pub priority: i32,
    /// Not to be started earlier.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// Worthless later.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// A payload for the agent that is too large for a contract: the digest of a blob that is there already.
    #[serde(default)]
    pub context: Option<Sha256Digest>,
    /// The same key gives the same job. Over HTTP the `Idempotency-Key` header says it.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// The W3C `traceparent` of the request. Over HTTP the header of that name says it.
    #[serde(default)]
    pub trace: Option<String>,
}

/// The answer to [`Submit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Submitted {
    /// The job.
    pub job_id: JobId,
    /// Whether the key was used before, for the same request.
    pub replayed: bool,
}

/// A job, and what the queue says of it right now.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct JobView {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// Derived, never stored.
    pub queue: QueueView,
    /// Names what came of it, once a run of it is over: `res:` and its id.
    pub result: Option<String>,
}

impl JobView {
    /// The view of a job that the queue says this of.
    pub fn new(job: Job, queue: QueueView) -> Self {
        let over = job.runs.last().is_some_and(|run| run.closed.is_some());
        Self {
            result: over.then(|| format!("res:{}", job.id)),
            job,
            queue,
        }
    }
}

/// Someone calls a job off.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct CancelJob {
    /// The job.
    pub job: JobId,
    /// Why.
    pub reason: String,
}

/// Someone asks for another attempt.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct RetryJob {
    /// The job.
    pub job: JobId,
    /// Why.
    pub reason: String,
    /// What it continues: the latest run's last snapshot and agent session; from the base if not given.
    #[serde(default)]
    pub goes_on: Option<Continue>,
    /// The same key gives the same job. Over HTTP the `Idempotency-Key` header says it.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Another attempt that continues an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Continue {
    /// The run; the job's latest if not given.
    #[serde(default)]
    pub run: Option<RunId>,
    /// What to say to the agent about it.
    #[serde(default)]
    pub say: Option<String>,
}

/// The answer to [`RetryJob`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Retried {
    /// The job that will run: the same one if it was blocked or queued, a new one otherwise.
    pub job_id: JobId,
    /// Whether it is a new job.
    pub new: bool,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ListJobs {
    /// Of one project.
    #[serde(default)]
    pub project: Option<ProjectId>,
    /// In one of these states; empty means any.
    #[serde(default)]
    pub statuses: Vec<JobStatus>,
    /// The most items, 1 to 500; 50 if not given.
    #[serde(default)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct JobPage {
    /// The jobs.
    pub items: Vec<JobView>,
    /// Where the next page starts, if there is one.
    pub next_cursor: Option<String>,
}

/// A job or a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(crate = "dogwatch_core::schemars")]
pub enum JobRef {
    /// A job.
    Job(JobId),
    /// A run.
    Run(RunId),
}

impl fmt::Display for JobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(id) => id.fmt(f),
            Self::Run(id) => id.fmt(f),
        }
    }
}

/// One link of the chain of causes that led to where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Cause {
    /// The event that says so.
    pub event: dogwatch_core::ids::EventId,
    /// Its position in its stream.
    pub seq: u64,
    /// Its kind.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What it means, for a person.
    pub says: String,
}

/// Why a job stands where it stands.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Why {
    /// The job.
    pub job: JobId,
    /// The run that was asked about, where one was.
    pub run: Option<RunId>,
    /// Where it stands.
    pub status: JobStatus,
    /// The same in a sentence.
    pub summary: String,
    /// What to do next, if anything.
    pub next_action: String,
    /// What the queue says of it.
    pub queue: QueueView,
    /// The events that led here, the oldest first.
    pub causes: Vec<Cause>,
    /// What the job demands of the runner that takes it.
    pub constraints: Vec<Constraint>,
    /// What each runner that is known does not meet.
    pub unmet: Vec<Unmet>,
}

/// A job with the right to run it.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ClaimedJob {
    /// The job.
    pub job: Job,
    /// The lease.
    pub lease: Lease,
    /// The contract's canonical bytes, as text.
    #[serde(with = "super::text::one")]
    #[schemars(with = "String")]
    pub contract: Vec<u8>,
    /// What its run continues.
    pub goes_on: Option<GoOn>,
}
