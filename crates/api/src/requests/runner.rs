//! What runners say and ask.

use std::time::Duration;

use dogwatch_core::Timestamp;
use dogwatch_core::event::Epoch;
use dogwatch_core::ids::{ApprovalId, ClaimId, JobId, LeaseId, MachineId, RunId, SessionId};
use dogwatch_core::job::{
    Cleanup, Holder, JobStatus, ParkReason, RunClosure, RunHeader, StartFrom,
};
use dogwatch_core::queue::Offer;
use dogwatch_core::schemars;
use serde::{Deserialize, Serialize};

use super::ClaimedJob;

/// The version of the protocol between runners and the control plane.
pub const RUNNER_PROTOCOL: u32 = 1;

/// A runner says who it is and what it has to offer.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct SyncRunner {
    /// [`RUNNER_PROTOCOL`] as the runner knows it; one that is too old is refused.
    pub protocol: u32,
    /// Its name for people.
    pub name: String,
    /// Its version of dogwatch.
    pub version: String,
    /// What it has to offer.
    pub offer: Offer,
    /// How many runs it does at once.
    pub slots: u32,
    /// What its machine can isolate and do, by name.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// The answer to [`SyncRunner`].
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Synced {
    /// The server's protocol.
    pub protocol: u32,
    /// How long a lease lives without a renewal, in milliseconds.
    pub lease_ttl_ms: u64,
    /// How often to renew, in milliseconds.
    pub lease_heartbeat_ms: u64,
    /// How long before the end of a lease its processes are ended, in milliseconds.
    pub lease_margin_ms: u64,
}

/// A runner, as the control plane knows it.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct RunnerView {
    /// What it said last.
    pub runner: SyncRunner,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// The jobs it has.
    pub jobs: Vec<JobId>,
}

/// The runners there are.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct RunnerList {
    /// The runners.
    pub items: Vec<RunnerView>,
}

/// A runner asks for work.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Claim {
    /// Names this request, so that a lost reply asked again returns the same leases.
    pub claim_id: ClaimId,
    /// The machine.
    pub machine: MachineId,
    /// The process, where it is on the server's own machine.
    #[serde(default)]
    pub holder: Option<Holder>,
    /// Only this job.
    #[serde(default)]
    pub job: Option<JobId>,
    /// The most jobs.
    pub max: u32,
    /// How long to wait for work if there is none, in milliseconds; at most 60,000.
    #[serde(default)]
    pub wait_ms: u64,
}

/// The answer to [`Claim`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Claimed {
    /// The jobs.
    pub jobs: Vec<ClaimedJob>,
}

/// A job under the caller's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct HeldLease {
    /// The job.
    pub job: JobId,
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
}

/// The holder starts a run, or goes on with the one that was parked.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct StartRun {
    /// The lease.
    pub held: HeldLease,
    /// The run's id, chosen by the runner so that the call can be repeated.
    pub run: RunId,
    /// The agent session it belongs to.
    #[serde(default)]
    pub session: Option<SessionId>,
    /// The run it continues.
    #[serde(default)]
    pub continues: Option<RunId>,
    /// What its workspace starts from.
    pub start_from: StartFrom,
}

/// The answer to [`StartRun`].
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Started {
    /// The run.
    pub run: RunHeader,
    /// The token the run's agent may present: good for this lease and this run, and for nothing else.
    pub token: String,
}

/// A runner is alive and holds these leases.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Heartbeat {
    /// The machine.
    pub machine: MachineId,
    /// Its leases.
    pub leases: Vec<HeldLease>,
}

/// What a runner should do with a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "directive", rename_all = "snake_case")]
#[schemars(crate = "dogwatch_core::schemars")]
pub enum Directive {
    /// Go on.
    Continue {
        /// How long the lease lives from the sending of the heartbeat, in milliseconds.
        ttl_ms: u64,
    },
    /// Stop the run.
    Cancel {
        /// Why.
        reason: String,
        /// How long the lease lives from the sending of the heartbeat, in milliseconds.
        ttl_ms: u64,
    },
    /// The lease is not the caller's any more: end the run's processes, write nothing.
    Lost {
        /// The job's latest epoch.
        epoch: Epoch,
    },
}

impl Directive {
    /// How long the lease lives, where it does.
    pub const fn ttl(&self) -> Option<Duration> {
        match self {
            Self::Continue { ttl_ms } | Self::Cancel { ttl_ms, .. } => {
                Some(Duration::from_millis(*ttl_ms))
            }
            Self::Lost { .. } => None,
        }
    }
}

/// The directive for one lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct LeaseDirective {
    /// The lease.
    pub lease: LeaseId,
    /// What to do.
    pub directive: Directive,
}

/// The answer to [`Heartbeat`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct HeartbeatReply {
    /// One directive for each lease named.
    pub leases: Vec<LeaseDirective>,
    /// Whether the runner should take no more work.
    pub drain: bool,
}

/// Lines of a run's journal, exactly as they stand in the local file.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct AppendEvents {
    /// The lease.
    pub held: HeldLease,
    /// The run.
    pub run: RunId,
    /// The lines, without line ends, as text.
    #[serde(with = "super::text::many")]
    #[schemars(with = "Vec<String>")]
    pub lines: Vec<Vec<u8>>,
}

/// The answer to [`AppendEvents`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Appended {
    /// How many lines the server has now.
    pub lines: u64,
}

/// Progress of a run for whoever follows; it decides nothing.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct PostMessage {
    /// The lease.
    pub held: HeldLease,
    /// The run.
    pub run: RunId,
    /// What it is about: `intent`, `progress`, `blocker`, `completion`.
    pub topic: String,
    /// The text, clipped to 1,000 bytes.
    pub text: String,
}

/// A stream of a process.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "dogwatch_core::schemars")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of what an agent printed.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct AppendOutput {
    /// The lease.
    pub held: HeldLease,
    /// The run.
    pub run: RunId,
    /// The turn.
    pub turn: u32,
    /// Which stream.
    pub stream: OutputStream,
    /// Where the piece starts, in bytes from the stream's beginning.
    pub offset: u64,
    /// The bytes, as base64. What is there already is not written again.
    #[serde(with = "super::text::base64")]
    #[schemars(with = "String")]
    pub bytes: Vec<u8>,
}

/// The answer to [`AppendOutput`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct OutputAppended {
    /// Where the next piece starts.
    pub next_offset: u64,
}

/// The holder sets a run aside until what it waits for is there, and gives the lease back.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ParkRun {
    /// The lease.
    pub held: HeldLease,
    /// The run.
    pub run: RunId,
    /// For what.
    pub reason: ParkReason,
    /// The instant it may go on at, where there is one.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// The approval it waits for.
    #[serde(default)]
    pub approval: Option<ApprovalId>,
}

/// The holder reports the end of a run; the lease ends with it.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct CompleteRun {
    /// The lease.
    pub held: HeldLease,
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub closure: RunClosure,
}

/// The holder gives a job back before it started a run.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ReleaseJob {
    /// The lease.
    pub held: HeldLease,
    /// Why.
    pub reason: String,
}

/// What happened to the workspace of a closed run.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct CleanUpRun {
    /// The job.
    pub job: JobId,
    /// The run.
    pub run: RunId,
    /// What happened.
    pub cleanup: Cleanup,
}

/// A lease is taken from a holder that is known to be dead.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct Recovered {
    /// Where the job stands now.
    pub status: JobStatus,
}

/// The bundle of a run, whose files are blobs that were sent before.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct DeclareBundle {
    /// The lease.
    pub held: HeldLease,
    /// The run.
    pub run: RunId,
    /// The bundle's files by their paths in it; the manifest and the attestation among them.
    pub files: std::collections::BTreeMap<String, dogwatch_core::Sha256Digest>,
}
