//! What the control plane knows of a run: its header and how it closed. Phases and turns stand in the run's journal only.

use serde::{Deserialize, Serialize};

use super::judgement::{Judgement, Landed};
use crate::canonical::Sha256Digest;
use crate::event::Epoch;
use crate::failure::Failure;
use crate::ids::{LeaseId, MachineId, RunId, SessionId};
use crate::time::Timestamp;

/// What a run's workspace started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartFrom {
    /// The contract's base commit.
    Base,
    /// The last snapshot of the run it continues.
    Snapshot,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The work passed its gates.
    Succeeded,
    /// The agent or a gate failed.
    Failed,
    /// A person has to do something first.
    Blocked,
    /// It was asked to stop.
    Stopped,
    /// Its wall clock ran out.
    TimedOut,
    /// Its runner died.
    Orphaned,
}

impl RunOutcome {
    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Stopped => "stopped",
            Self::TimedOut => "timed_out",
            Self::Orphaned => "orphaned",
        }
    }

    /// The outcome as the end of a sentence about the run.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Blocked => "is blocked",
            Self::Stopped => "was stopped",
            Self::TimedOut => "ran out of time",
            Self::Orphaned => "lost its runner",
        }
    }
}

/// What stands behind a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// No acceptance gate ran: the result is the agent's word.
    None,
    /// At least one acceptance gate passed on the tree.
    Gates,
}

/// The closing facts of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunClosure {
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why, for everything but a success.
    pub failure: Option<Failure>,
    /// The tree T it left.
    pub tree: Option<String>,
    /// What stands behind it.
    pub assurance: Assurance,
    /// The digest of the sealed bundle's manifest.
    pub manifest: Option<Sha256Digest>,
    /// How many turns it took.
    pub turns: u32,
    /// When it closed.
    pub at: Timestamp,
}

/// Where the clean-up of a run's workspace stands. It never changes the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CleanupState {
    /// Not done yet.
    Pending,
    /// Moved aside.
    Archived,
    /// Deleted.
    Removed,
    /// Left in place because someone asked for it.
    Kept,
    /// Did not work.
    Failed,
}

/// The clean-up of a run's workspace: the worst of its hook and the removal, with both errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cleanup {
    /// Where it stands.
    pub state: CleanupState,
    /// Why the hook failed.
    pub hook_error: Option<String>,
    /// Why the removal failed.
    pub removal_error: Option<String>,
}

impl Cleanup {
    /// A clean-up that has not happened yet.
    pub const PENDING: Self = Self {
        state: CleanupState::Pending,
        hook_error: None,
        removal_error: None,
    };
}

/// One attempt of a job, as the control plane sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunHeader {
    /// Its id.
    pub id: RunId,
    /// Which attempt of the job it is, from 1.
    pub attempt: u32,
    /// The lease it runs under.
    pub lease: LeaseId,
    /// The epoch of that lease.
    pub epoch: Epoch,
    /// The machine it runs on.
    pub machine: MachineId,
    /// The agent session it belongs to.
    pub session: Option<SessionId>,
    /// The run it continues.
    pub continues: Option<RunId>,
    /// What its workspace started from.
    pub start_from: StartFrom,
    /// When it was created.
    pub created_at: Timestamp,
    /// How it ended, once it has.
    pub closed: Option<RunClosure>,
    /// The clean-up of its workspace.
    pub cleanup: Cleanup,
    /// What a person said about it last.
    #[serde(default)]
    pub judgement: Option<Judgement>,
    /// Where its change is, once it landed.
    #[serde(default)]
    pub landed: Option<Landed>,
}
