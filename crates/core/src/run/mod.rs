//! One attempt of a job, as its journal tells it: phases, turns, snapshots and gates.
//!
//! `decide` says whether a fact may follow what is known, `apply` folds it in, and `next_step` says what the runner does next.

mod apply;
mod decide;
mod event;
mod next_step;
mod phase;
mod state;

pub use decide::{RunRefusal, decide};
pub use event::{
    GateFinished, GateResult, Note, RunEnded, RunEvent, RunParked, RunResumed, RunStarted,
    SnapshotTaken, StallRestart, TurnBegun, TurnEnded, WorkspaceReady,
};
pub use next_step::{Step, after_gates, after_turn, before_turn, restart_hint};
pub use phase::Phase;
pub use state::{RunState, TurnRecord};

/// The surface of every run that nobody sits in front of.
pub const SURFACE_UNATTENDED: &str = "unattended_runtime";
