//! Whether a fact may follow what a run's journal already says.

use super::event::RunEvent;
use super::phase::Phase;
use super::state::RunState;

/// A fact that does not fit. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunRefusal {
    /// The run has ended: the outcome is its last line.
    #[error("the run has ended, so nothing may follow")]
    Ended,
    /// The first fact must be the start, and only the first.
    #[error("a run starts once, with its first line")]
    Start,
    /// There is no such move.
    #[error("a run cannot go from {from} to {to}")]
    Phase {
        /// Where it is.
        from: Phase,
        /// Where it should go.
        to: Phase,
    },
    /// The fact belongs to another phase.
    #[error("{kind} does not belong into phase {phase}")]
    Misplaced {
        /// The kind of fact.
        kind: &'static str,
        /// Where the run is.
        phase: Phase,
    },
    /// Turns are numbered from 1 without gaps and end once.
    #[error("turn {given} does not follow turn {last}")]
    Turn {
        /// The turn given.
        given: u32,
        /// The last one known.
        last: u32,
    },
}

/// The events that record `fact`: itself where it fits, none where the run is in that phase already.
pub fn decide(state: &RunState, fact: RunEvent) -> Result<Vec<RunEvent>, RunRefusal> {
    if state.ended.is_some() {
        return Err(RunRefusal::Ended);
    }
    if state.started.is_some() == matches!(fact, RunEvent::Started(_)) {
        return Err(RunRefusal::Start);
    }
    let phase = state.phase;
    let belongs = |kind, phases: &[Phase]| {
        if phases.contains(&phase) {
            Ok(())
        } else {
            Err(RunRefusal::Misplaced { kind, phase })
        }
    };
    match &fact {
        RunEvent::Started(_) | RunEvent::CancelReceived { .. } | RunEvent::Noted(_) => {}
        RunEvent::PhaseEntered { phase: next } => {
            if *next == phase {
                return Ok(Vec::new());
            }
            // The end is entered by the outcome itself, and a turn that is open is ended first.
            let open_turn_left_behind = state.open_turn().is_some()
                && !matches!(
                    next,
                    Phase::TurnExecuting | Phase::TurnPersisting | Phase::Sealing
                );
            let begun = *next != Phase::TurnExecuting || state.open_turn().is_some();
            // These two are entered and left by facts of their own.
            let own_fact =
                *next == Phase::Ended || *next == Phase::Parked || phase == Phase::Parked;
            if !phase.may_become(*next) || own_fact || open_turn_left_behind || !begun {
                return Err(RunRefusal::Phase {
                    from: phase,
                    to: *next,
                });
            }
        }
        RunEvent::WorkspaceReady(_) => belongs("workspace.ready", &[Phase::Preparing])?,
        RunEvent::TurnBegun(facts) => {
            belongs("turn.begun", &[Phase::TurnPreparing])?;
            if facts.turn != state.turn_count() + 1 || state.open_turn().is_some() {
                return Err(RunRefusal::Turn {
                    given: facts.turn,
                    last: state.turn_count(),
                });
            }
        }
        RunEvent::TurnEnded(facts) => {
            belongs(
                "turn.ended",
                &[
                    Phase::TurnPreparing,
                    Phase::TurnExecuting,
                    Phase::TurnPersisting,
                    Phase::Sealing,
                ],
            )?;
            let open = state.open_turn().map(|turn| turn.turn);
            if open != Some(facts.turn) || facts.status == crate::turn::TurnStatus::InProgress {
                return Err(RunRefusal::Turn {
                    given: facts.turn,
                    last: state.turn_count(),
                });
            }
        }
        RunEvent::SnapshotTaken(_) => {
            belongs("snapshot.taken", &[Phase::TurnPersisting, Phase::Sealing])?;
        }
        RunEvent::Stalled(_) => belongs("run.stalled", &[Phase::TurnPersisting])?,
        RunEvent::Parked(_) => {
            belongs(
                "run.parked",
                &[
                    Phase::Preparing,
                    Phase::Preflight,
                    Phase::TurnPreparing,
                    Phase::TurnPersisting,
                ],
            )?;
            if let Some(turn) = state.open_turn() {
                return Err(RunRefusal::Turn {
                    given: turn.turn,
                    last: state.turn_count(),
                });
            }
        }
        RunEvent::Resumed(_) => belongs("run.resumed", &[Phase::Parked])?,
        RunEvent::GateFinished(_) => belongs("gate.finished", &[Phase::Gates])?,
        RunEvent::Ended(_) => belongs("run.ended", &[Phase::Sealing])?,
    }
    Ok(vec![fact])
}
