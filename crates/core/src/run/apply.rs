//! Folding journal events into state. Total: what the phase does not accept changes nothing, and nothing follows the end.

use super::event::RunEvent;
use super::phase::Phase;
use super::state::{RunState, TurnRecord};
use crate::time::Timestamp;
use crate::turn::TurnStatus;

impl RunState {
    /// The state after `event`, which happened at `at`.
    #[must_use]
    pub fn apply(mut self, event: &RunEvent, at: Timestamp) -> Self {
        if self.ended.is_some() {
            return self;
        }
        match event {
            RunEvent::Started(facts) => {
                if self.started.is_none() {
                    self.started = Some(facts.clone());
                    self.started_at = Some(at);
                    self.phase_started_at = Some(at);
                    self.checkpoint = "Preparing the workspace".to_owned();
                }
            }
            RunEvent::PhaseEntered { phase } => self.enter(*phase, at),
            RunEvent::WorkspaceReady(_) => self.checkpoint = "Workspace ready".to_owned(),
            RunEvent::TurnBegun(facts) => {
                self.turns.push(TurnRecord {
                    turn: facts.turn,
                    status: TurnStatus::InProgress,
                    task: facts.task.clone(),
                    started_at: at,
                    ended_at: None,
                    ended: None,
                });
            }
            RunEvent::TurnEnded(facts) => {
                let stalled = facts.status == TurnStatus::Stalled;
                if let Some(turn) = self.turns.iter_mut().find(|turn| turn.turn == facts.turn)
                    && turn.status.may_become(facts.status)
                {
                    turn.status = facts.status;
                    turn.ended_at = Some(at);
                    turn.ended = Some(facts.clone());
                    self.consecutive_stalls = if stalled {
                        self.consecutive_stalls + 1
                    } else {
                        0
                    };
                }
            }
            RunEvent::SnapshotTaken(facts) => self.snapshot = Some(facts.clone()),
            RunEvent::Stalled(facts) => {
                self.checkpoint = format!("Turn {} stalled", facts.turn);
            }
            RunEvent::Parked(facts) => {
                let from = self.phase;
                self.enter(Phase::Parked, at);
                if self.phase == Phase::Parked {
                    self.parked_from = Some(from);
                    self.checkpoint = format!("Parked ({})", facts.reason.as_str());
                }
            }
            RunEvent::Resumed(_) => {
                if let Some(from) = self.parked_from.take() {
                    self.enter(from, at);
                }
            }
            RunEvent::GateFinished(facts) => {
                self.checkpoint = format!("Gate {}", facts.gate);
                self.gates.push(facts.clone());
            }
            RunEvent::CancelReceived { reason } => self.cancel = Some(reason.clone()),
            RunEvent::Noted(_) => {}
            RunEvent::Ended(facts) => {
                self.ended = Some(facts.clone());
                self.enter(Phase::Ended, at);
            }
        }
        self
    }

    fn enter(&mut self, phase: Phase, at: Timestamp) {
        if !self.phase.may_become(phase) {
            return;
        }
        self.phase = phase;
        self.phase_started_at = Some(at);
        if phase == Phase::Gates {
            self.gate_rounds += 1;
            self.gates.clear();
        }
        let turn = self.turn_count();
        self.checkpoint = match phase {
            Phase::Preparing => "Preparing the workspace".to_owned(),
            Phase::Preflight => "Preflight checks".to_owned(),
            Phase::BeforeHook => "Hook before_run".to_owned(),
            Phase::TurnPreparing => format!("Turn {}", turn + 1),
            Phase::TurnExecuting => format!("Turn {turn} shell"),
            Phase::TurnPersisting => format!("Turn {turn} response"),
            Phase::Gates => format!("Gates, round {}", self.gate_rounds),
            Phase::Parked => "Parked".to_owned(),
            Phase::Sealing => "Sealing the bundle".to_owned(),
            Phase::Ended => "Ended".to_owned(),
        };
    }
}
