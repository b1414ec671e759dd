//! The state of a run, folded from its journal.

use serde::{Deserialize, Serialize};

use super::event::{GateFinished, RunEnded, RunStarted, SnapshotTaken, TurnEnded};
use super::phase::Phase;
use crate::contract::Containment;
use crate::time::Timestamp;
use crate::turn::TurnStatus;

/// What is known of a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnRecord {
    /// Its number.
    pub turn: u32,
    /// Where it stands.
    pub status: TurnStatus,
    /// What it is about, clipped.
    pub task: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<TurnEnded>,
}

impl TurnRecord {
    /// The agent's summary, empty while the turn is under way.
    pub fn summary(&self) -> &str {
        self.ended.as_ref().map_or("", |ended| &ended.summary)
    }
}

/// A run, as its journal tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunState {
    /// Its first fact.
    pub started: Option<RunStarted>,
    /// When that was.
    pub started_at: Option<Timestamp>,
    /// Where it is.
    pub phase: Phase,
    /// Since when.
    pub phase_started_at: Option<Timestamp>,
    /// Where a parked run goes on.
    pub parked_from: Option<Phase>,
    /// The same for a person: `Turn 2 shell`.
    pub checkpoint: String,
    /// Its turns.
    pub turns: Vec<TurnRecord>,
    /// How many of the latest turns stalled, one after the other.
    pub consecutive_stalls: u32,
    /// The latest snapshot.
    pub snapshot: Option<SnapshotTaken>,
    /// How many rounds of gates were begun.
    pub gate_rounds: u32,
    /// The results of the latest round.
    pub gates: Vec<GateFinished>,
    /// Whether it was asked to stop, and why.
    pub cancel: Option<String>,
    /// Its last fact.
    pub ended: Option<RunEnded>,
}

impl Default for RunState {
    fn default() -> Self {
        Self {
            started: None,
            started_at: None,
            phase: Phase::Preparing,
            phase_started_at: None,
            parked_from: None,
            checkpoint: String::new(),
            turns: Vec::new(),
            consecutive_stalls: 0,
            snapshot: None,
            gate_rounds: 0,
            gates: Vec::new(),
            cancel: None,
            ended: None,
        }
    }
}

impl RunState {
    /// The least that the agent was kept apart from the machine in any turn; nothing if it was never started.
    pub fn containment(&self) -> Option<Containment> {
        self.turns
            .iter()
            .filter_map(|turn| turn.ended.as_ref()?.containment)
            .min()
    }

    /// How many turns were begun.
    pub fn turn_count(&self) -> u32 {
        u32::try_from(self.turns.len()).unwrap_or(u32::MAX)
    }

    /// The turn under way.
    pub fn open_turn(&self) -> Option<&TurnRecord> {
        self.turns
            .last()
            .filter(|turn| turn.status == TurnStatus::InProgress)
    }
}
