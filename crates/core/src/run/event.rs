//! The facts of a journal. Kinds are wire format: append only, never changed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::phase::Phase;
use crate::canonical::Sha256Digest;
use crate::contract::Containment;
use crate::event::Epoch;
use crate::failure::Failure;
use crate::ids::{ApprovalId, RunId, SessionId, WorkspaceId};
use crate::job::{Assurance, ParkReason, RunOutcome, StartFrom};
use crate::time::Timestamp;
use crate::turn::{ResponseStatus, TurnOutcome, TurnStatus};

/// The first fact of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunStarted {
    /// Which attempt of the job it is.
    pub attempt: u32,
    /// The contract it is held to.
    pub contract: Sha256Digest,
    /// The configuration it runs with, fixed for the whole run.
    pub profile: Sha256Digest,
    /// The base commit.
    pub base: String,
    /// The agent by name.
    pub agent: String,
    /// The driver it is spoken to through.
    pub driver: String,
    /// The agent session it belongs to.
    pub session_id: Option<SessionId>,
    /// The run it continues.
    pub continues: Option<RunId>,
    /// What its workspace starts from.
    pub start_from: StartFrom,
    /// The kind of surface, always [`super::SURFACE_UNATTENDED`] today.
    pub surface: String,
}

/// The workspace exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceReady {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// How it was made: `plain_checkout`.
    pub method: String,
    /// The commit it starts with.
    pub base: String,
}

/// A turn begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnBegun {
    /// Its number, from 1.
    pub turn: u32,
    /// What it is about, clipped; the whole request stands beside the journal.
    pub task: String,
    /// The digest of the request file.
    pub request: Sha256Digest,
}

/// A turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnEnded {
    /// Its number.
    pub turn: u32,
    /// Where it ended.
    pub status: TurnStatus,
    /// What the agent said.
    pub response_status: Option<ResponseStatus>,
    /// What it amounted to.
    pub outcome: TurnOutcome,
    /// Why it counts as that, clipped.
    pub outcome_reason: String,
    /// The agent's summary, clipped.
    pub summary: String,
    /// How many tools the agent asked for.
    pub tool_calls: u32,
    /// Its exit code, where its process ended by itself.
    pub exit_code: Option<i32>,
    /// How the process tree was ended.
    pub kill_rung: String,
    /// How far the agent was kept apart from the machine; nothing if it was not started.
    #[serde(default)]
    pub containment: Option<Containment>,
    /// How many processes outlived the agent and were ended.
    pub leftovers: u32,
    /// How long it took.
    pub duration_ms: u64,
    /// How many bytes it printed.
    pub output_bytes: u64,
    /// How many of them were not kept.
    pub dropped_bytes: u64,
    /// The digest of the exit record.
    pub exit_record: Option<Sha256Digest>,
    /// Why the turn was no success.
    pub failure: Option<Failure>,
}

/// What the agent left, kept in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotTaken {
    /// The turn it follows.
    pub turn: u32,
    /// The ref that keeps it.
    pub label: String,
    /// The commit.
    pub commit: String,
    /// The tree T.
    pub tree: String,
    /// How many files are in it.
    pub files: u64,
    /// How many files were left out because `.gitignore` files in the tree say so.
    pub ignored: u64,
}

/// A silent agent was ended and will be started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StallRestart {
    /// The turn that stalled.
    pub turn: u32,
    /// How many stalls there were in a row.
    pub consecutive: u32,
    /// The stall window.
    pub stall_window_ms: u64,
    /// How long it waits before the next turn.
    pub backoff_ms: u64,
}

/// The run waits without holding a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunParked {
    /// For what.
    pub reason: ParkReason,
    /// The instant it may go on at, where there is one.
    pub until: Option<Timestamp>,
    /// The approval it waits for.
    pub approval: Option<ApprovalId>,
}

/// The run goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunResumed {
    /// The epoch it goes on under.
    pub epoch: Epoch,
    /// What became of what it waited for, for the agent: `approved`, `rejected`, `expired`, `limit_over`.
    pub because: String,
}

/// What a gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateResult {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It was not run, and that is right.
    Skipped,
    /// It could not be run. This blocks.
    Error,
}

/// A gate was run on a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateFinished {
    /// The gate.
    pub gate: String,
    /// Which round of gates of this run, from 1.
    pub round: u32,
    /// What it says.
    pub result: GateResult,
    /// Whether the run cannot succeed without it.
    pub must_pass: bool,
    /// Whether it is one of the contract's acceptance commands.
    pub acceptance: bool,
    /// A stable code.
    pub code: String,
    /// Why, clipped.
    pub reason: String,
    /// The tree it was run on.
    pub tree: String,
    /// The digest of the gate's own definition.
    pub definition: Sha256Digest,
    /// The exit code of its command.
    pub exit_code: Option<i32>,
    /// The digest of its output.
    pub output: Option<Sha256Digest>,
    /// How long it took.
    pub duration_ms: u64,
}

/// Something worth knowing that decides nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// A stable code.
    pub code: String,
    /// What it is, clipped.
    pub text: String,
}

/// The last fact of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunEnded {
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why, for everything but a success.
    pub failure: Option<Failure>,
    /// The tree T.
    pub tree: Option<String>,
    /// What stands behind a success.
    pub assurance: Assurance,
    /// How many turns it took.
    pub turns: u32,
}

/// An event of a journal. The comment on each names the phases that accept it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", content = "data", deny_unknown_fields)]
pub enum RunEvent {
    /// The first line.
    #[serde(rename = "run.started.v1")]
    Started(RunStarted),
    /// See [`Phase::may_become`].
    #[serde(rename = "run.phase_entered.v1")]
    PhaseEntered {
        /// The phase.
        phase: Phase,
    },
    /// `preparing`.
    #[serde(rename = "workspace.ready.v1")]
    WorkspaceReady(WorkspaceReady),
    /// `turn_preparing`.
    #[serde(rename = "turn.begun.v1")]
    TurnBegun(TurnBegun),
    /// `turn_executing`, `turn_persisting`.
    #[serde(rename = "turn.ended.v1")]
    TurnEnded(TurnEnded),
    /// `turn_persisting`, `sealing`.
    #[serde(rename = "snapshot.taken.v1")]
    SnapshotTaken(SnapshotTaken),
    /// `turn_persisting`.
    #[serde(rename = "run.stalled.v1")]
    Stalled(StallRestart),
    /// `preflight`, `turn_preparing`, `turn_persisting`. The phase is `parked` from here on.
    #[serde(rename = "run.parked.v1")]
    Parked(RunParked),
    /// `parked`. The phase is the one before again.
    #[serde(rename = "run.resumed.v1")]
    Resumed(RunResumed),
    /// `gates`.
    #[serde(rename = "gate.finished.v1")]
    GateFinished(GateFinished),
    /// Every phase before the end.
    #[serde(rename = "run.cancel_received.v1")]
    CancelReceived {
        /// Why.
        reason: String,
    },
    /// Every phase before the end.
    #[serde(rename = "run.noted.v1")]
    Noted(Note),
    /// `sealing`. The last line.
    #[serde(rename = "run.ended.v1")]
    Ended(RunEnded),
}

impl RunEvent {
    /// The kind of the last line.
    pub const ENDED: &'static str = "run.ended.v1";

    /// The kind and the data, as an envelope carries them.
    pub fn into_parts(self) -> (String, Value) {
        crate::event::split_tagged(&self)
    }

    /// The event of a kind, from an envelope's parts.
    pub fn from_parts(kind: &str, data: &Value) -> Result<Self, serde_json::Error> {
        crate::event::join_tagged(kind, data)
    }
}
