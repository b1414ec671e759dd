//! Where a turn stands and what it amounted to.

use serde::{Deserialize, Serialize};

/// Where a turn stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TurnStatus {
    /// Under way.
    InProgress,
    /// The agent answered `done` or `continue`.
    Completed,
    /// The agent said that it needs a person.
    Blocked,
    /// The agent said that it failed, broke its protocol, or did not start.
    Failed,
    /// Stopped on request.
    Stopped,
    /// Silent for longer than the stall window.
    Stalled,
    /// Longer than the turn budget.
    TimedOut,
}

impl TurnStatus {
    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Stalled => "stalled",
            Self::TimedOut => "timed_out",
        }
    }

    /// `in_progress` is left once, for any other state; those are final.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(self, Self::InProgress) && !matches!(next, Self::InProgress)
    }
}

/// What a turn amounted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TurnOutcome {
    /// It went normally.
    MeaningfulCompletion,
    /// It went normally, did nothing, and was asked to be silent then.
    NoOpSuccess,
    /// Someone outside has to act.
    EscalationBlocker,
    /// Stopped, stalled, timed out or unintelligible.
    Unclassified,
}
