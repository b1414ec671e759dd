//! Approvals: a person's decision, bound to exactly what was asked.

use serde::{Deserialize, Serialize};

use crate::canonical::Sha256Digest;
use crate::event::Epoch;
use crate::ids::{ApprovalId, RunId, TokenId};
use crate::time::Timestamp;

/// The most bytes an action may have. It is shown and recorded whole, so that nobody approves what they did not see.
pub const MAX_ACTION_BYTES: usize = 1_200;

/// What an approval is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// The start of a run: nothing of the job executes before.
    StartRun,
    /// Something a running agent wants to do.
    AgentAction,
}

/// Where an approval stands. `Pending` is left once, for ever; an approved one is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// A person said yes, and nothing has come of it yet.
    Approved,
    /// A person said yes, and it was acted upon. It counts for nothing more.
    Used,
    /// A person said no.
    Rejected,
    /// Nobody decided in time, which means no.
    Expired,
    /// What it was about changed.
    Superseded,
}

impl ApprovalState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Approved,
        Self::Used,
        Self::Rejected,
        Self::Expired,
        Self::Superseded,
    ];

    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Used => "used",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        }
    }
}

/// Who decided an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDecision {
    /// The person, as events name them.
    pub by: String,
    /// The token that was presented.
    pub token: Option<TokenId>,
    /// What they said with it, clipped.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A request for a person's decision, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// What it is about.
    pub kind: ApprovalKind,
    /// The run that asks, where one does.
    pub run: Option<RunId>,
    /// The exact bytes of what is to be done: canonical JSON, at most [`MAX_ACTION_BYTES`].
    pub action: String,
    /// Why, as whoever asks puts it, clipped. Untrusted text.
    pub reason: String,
    /// The contract it is bound to.
    pub contract: Sha256Digest,
    /// The policy snapshot it is bound to.
    pub policy: Sha256Digest,
    /// The job's epoch it is bound to.
    pub epoch: Epoch,
    /// Who asks.
    pub requested_by: String,
    /// The token of whoever asks; it can never decide.
    pub requested_token: Option<TokenId>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// How long it waits for a decision before it counts as no.
    pub ttl_ms: u64,
    /// Where it stands.
    pub state: ApprovalState,
    /// The decision, once a person made one.
    pub decision: Option<ApprovalDecision>,
    /// Why it was superseded.
    pub superseded: Option<String>,
}

impl Approval {
    /// The digest of the exact bytes of the action.
    pub fn action_digest(&self) -> Sha256Digest {
        Sha256Digest::of(self.action.as_bytes())
    }
}

/// The demand of a contract that a person approves every start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartApproval {
    /// How long a request waits for its decision. 0 denies at once.
    pub ttl_ms: u64,
}
