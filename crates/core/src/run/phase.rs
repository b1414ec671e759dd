//! Where a run is right now.

use serde::{Deserialize, Serialize};

/// A phase of a run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its workspace is being made.
    Preparing,
    /// Checks before anything runs.
    Preflight,
    /// The `before_run` hook.
    BeforeHook,
    /// A turn's request is being written.
    TurnPreparing,
    /// The agent works.
    TurnExecuting,
    /// A turn's files and snapshot are being kept.
    TurnPersisting,
    /// The tree is being checked.
    Gates,
    /// It waits, holds no slot, and goes on where it was.
    Parked,
    /// The evidence is being sealed.
    Sealing,
    /// Over.
    Ended,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 10] = [
        Self::Preparing,
        Self::Preflight,
        Self::BeforeHook,
        Self::TurnPreparing,
        Self::TurnExecuting,
        Self::TurnPersisting,
        Self::Gates,
        Self::Parked,
        Self::Sealing,
        Self::Ended,
    ];

    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Preflight => "preflight",
            Self::BeforeHook => "before_hook",
            Self::TurnPreparing => "turn_preparing",
            Self::TurnExecuting => "turn_executing",
            Self::TurnPersisting => "turn_persisting",
            Self::Gates => "gates",
            Self::Parked => "parked",
            Self::Sealing => "sealing",
            Self::Ended => "ended",
        }
    }

    /// The one table of legal moves. Any phase but `parked` may be left for `sealing`, and `sealing` only for the end. `parked` is left for
    /// the phase it came from, which the run's state knows.
    pub const fn may_become(self, next: Self) -> bool {
        use Phase as P;
        match self {
            P::Preparing => matches!(next, P::Preflight | P::Parked | P::Sealing),
            P::Preflight => matches!(
                next,
                P::BeforeHook | P::TurnPreparing | P::Parked | P::Sealing
            ),
            P::BeforeHook => matches!(next, P::TurnPreparing | P::Sealing),
            P::TurnPreparing => matches!(next, P::TurnExecuting | P::Parked | P::Sealing),
            P::TurnExecuting => matches!(next, P::TurnPersisting | P::Sealing),
            P::TurnPersisting => {
                matches!(next, P::TurnPreparing | P::Gates | P::Parked | P::Sealing)
            }
            P::Parked => matches!(
                next,
                P::Preparing | P::Preflight | P::TurnPreparing | P::TurnPersisting
            ),
            P::Gates => matches!(next, P::TurnPreparing | P::Sealing),
            P::Sealing => matches!(next, P::Ended),
            P::Ended => false,
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
