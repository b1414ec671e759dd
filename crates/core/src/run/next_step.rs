//! What a run does next: the whole policy of the turn loop, without effects.

use std::time::Duration;

use super::event::{GateFinished, GateResult};
use super::state::RunState;
use crate::failure::{Failure, FailureClass};
use crate::job::RunOutcome;
use crate::limits::Limits;
use crate::time::Timestamp;
use crate::turn::{ResponseStatus, TurnStatus, TurnVerdict};

/// What a run does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Another turn: with the agent's own next task, with the current one, or to mend what the gates found.
    Turn {
        /// The task, where it changes.
        next_task: Option<String>,
    },
    /// Another turn after a wait, because the agent went silent.
    Restart {
        /// How long to wait first.
        backoff: Duration,
    },
    /// Check the tree.
    Gates,
    /// Stop here.
    Finish {
        /// How the run ends.
        outcome: RunOutcome,
        /// Why, for everything but a success.
        failure: Option<Failure>,
    },
}

impl Step {
    fn finish(outcome: RunOutcome, failure: Failure) -> Self {
        Self::Finish {
            outcome,
            failure: Some(failure),
        }
    }
}

/// Whether a turn may begin; otherwise how the run ends.
pub fn before_turn(state: &RunState, limits: &Limits, now: Timestamp) -> Option<Step> {
    if let Some(reason) = &state.cancel {
        return Some(stopped(reason));
    }
    if wall_is_up(state, limits, now) {
        return Some(wall_clock(limits));
    }
    (u64::from(state.turn_count()) >= limits.max_turns).then(|| max_turns(limits))
}

/// What follows a turn. `state` already holds the turn.
pub fn after_turn(
    state: &RunState,
    limits: &Limits,
    verdict: &TurnVerdict,
    now: Timestamp,
) -> Step {
    if let Some(reason) = &state.cancel {
        return stopped(reason);
    }
    let failure = || {
        verdict.failure.clone().unwrap_or_else(|| {
            Failure::new(
                FailureClass::Agent,
                "unexplained",
                "turns",
                &verdict.outcome_reason,
                "look at the turn's output",
            )
        })
    };
    match verdict.status {
        TurnStatus::Completed => match verdict.response_status {
            Some(ResponseStatus::Continue) => {
                before_turn(state, limits, now).unwrap_or(Step::Turn {
                    next_task: verdict.next_task.clone(),
                })
            }
            Some(ResponseStatus::Done | ResponseStatus::Blocked | ResponseStatus::Failed)
            | None => Step::Gates,
        },
        TurnStatus::Blocked => Step::finish(RunOutcome::Blocked, failure()),
        TurnStatus::Failed | TurnStatus::InProgress => Step::finish(RunOutcome::Failed, failure()),
        TurnStatus::Stopped => Step::finish(RunOutcome::Stopped, failure()),
        TurnStatus::TimedOut if wall_is_up(state, limits, now) => wall_clock(limits),
        TurnStatus::TimedOut => Step::finish(RunOutcome::Failed, failure()),
        TurnStatus::Stalled => after_stall(state, limits, now),
    }
}

fn after_stall(state: &RunState, limits: &Limits, now: Timestamp) -> Step {
    let stalls = state.consecutive_stalls;
    if u64::from(stalls) > limits.max_stall_restarts {
        return Step::finish(
            RunOutcome::Blocked,
            Failure::new(
                FailureClass::Agent,
                "stall_restart_exhausted",
                "turns",
                format!(
                    "the agent went silent {stalls} times in a row, {} ms each time",
                    limits.stall_window_ms
                ),
                "look at its output; raise limits.stall_window_ms if it works silently; then `dogwatch jobs retry`",
            ),
        );
    }
    before_turn(state, limits, now).unwrap_or_else(|| Step::Restart {
        backoff: limits.backoff(u64::from(stalls)),
    })
}

/// What follows a round of gates.
pub fn after_gates(
    state: &RunState,
    limits: &Limits,
    gates: &[GateFinished],
    now: Timestamp,
) -> Step {
    if let Some(reason) = &state.cancel {
        return stopped(reason);
    }
    let blocking = |result| {
        gates
            .iter()
            .find(|gate| gate.must_pass && gate.result == result)
    };
    // An error in any gate blocks, also in one that need not pass: nobody knows what it would have said.
    if let Some(gate) = gates.iter().find(|gate| gate.result == GateResult::Error) {
        return Step::finish(
            RunOutcome::Blocked,
            Failure::new(
                FailureClass::Gate,
                &gate.code,
                "gates",
                format!("gate `{}` could not be run: {}", gate.gate, gate.reason),
                "mend the gate's command or the machine, then `dogwatch jobs retry`",
            ),
        );
    }
    let Some(gate) = blocking(GateResult::Failed) else {
        return Step::Finish {
            outcome: RunOutcome::Succeeded,
            failure: None,
        };
    };
    match before_turn(state, limits, now) {
        None => Step::Turn { next_task: None },
        Some(Step::Finish {
            outcome: RunOutcome::Failed,
            ..
        }) => Step::finish(
            RunOutcome::Failed,
            Failure::new(
                FailureClass::Gate,
                &gate.code,
                "gates",
                format!(
                    "gate `{}` failed and no turn of {} is left: {}",
                    gate.gate, limits.max_turns, gate.reason
                ),
                "read the gate's output, then retry, or raise limits.max_turns",
            ),
        ),
        Some(other) => other,
    }
}

/// The text that tells a restarted agent what happened.
pub fn restart_hint(turn: u32, limits: &Limits) -> String {
    format!(
        "The previous turn (turn {turn}) stalled after {} ms without progress inside turn_budget_ms={} ms; resume from current workspace state — do not restart from scratch.",
        limits.stall_window_ms, limits.turn_budget_ms
    )
}

fn wall_is_up(state: &RunState, limits: &Limits, now: Timestamp) -> bool {
    state
        .started_at
        .is_some_and(|started| now.since(started) >= Duration::from_millis(limits.wall_ms))
}

fn wall_clock(limits: &Limits) -> Step {
    Step::finish(
        RunOutcome::TimedOut,
        Failure::new(
            FailureClass::Limit,
            "wall_clock",
            "turns",
            format!("the run took longer than its {} ms", limits.wall_ms),
            "raise limits.wall_ms, or make the task smaller",
        ),
    )
}

fn max_turns(limits: &Limits) -> Step {
    Step::finish(
        RunOutcome::Failed,
        Failure::new(
            FailureClass::Limit,
            "max_turns",
            "turns",
            format!(
                "the agent did not finish in max_turns={} turns",
                limits.max_turns
            ),
            "raise limits.max_turns, or make the task smaller",
        ),
    )
}

fn stopped(reason: &str) -> Step {
    Step::finish(
        RunOutcome::Stopped,
        Failure::new(
            FailureClass::Stopped,
            "cancelled",
            "turns",
            format!("cancelled: {reason}"),
            "`dogwatch jobs retry` starts it again from its base",
        ),
    )
}
