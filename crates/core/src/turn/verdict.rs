//! What a turn was, from how the process ended and what it answered. An agent's word is a claim, never a verdict on its work.

use super::exit::Exit;
use super::response::{AgentResponse, ResponseReading, ResponseStatus};
use super::status::{TurnOutcome, TurnStatus};
use crate::failure::{Failure, FailureClass, clip};

const STAGE: &str = "turns";

/// What it means, for a driver, that an agent exits well without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingResponse {
    /// The agent is a plain command: exit 0 is its way to say `done`.
    MeansDone,
    /// The protocol demands a response.
    IsFailure,
}

/// What a turn was.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnVerdict {
    /// Where the turn ended.
    pub status: TurnStatus,
    /// What the agent said, where it said something.
    pub response_status: Option<ResponseStatus>,
    /// What it amounted to.
    pub outcome: TurnOutcome,
    /// Why it counts as that.
    pub outcome_reason: String,
    /// The agent's own summary, clipped.
    pub summary: String,
    /// What the agent wants to do next.
    pub next_task: Option<String>,
    /// How many tools it asked for.
    pub tool_calls: u32,
    /// Why the turn was no success.
    pub failure: Option<Failure>,
}

/// Judges a turn. A valid `blocked` or `failed` wins over how the process ended; `done` and `continue` count only with exit 0.
pub fn judge(
    exit: &Exit,
    response: &ResponseReading,
    missing: MissingResponse,
    silent_unless_blocked: bool,
) -> TurnVerdict {
    if let ResponseReading::Valid(answer) = response {
        match answer.status {
            ResponseStatus::Blocked => return escalated(answer, TurnStatus::Blocked),
            ResponseStatus::Failed => return escalated(answer, TurnStatus::Failed),
            ResponseStatus::Continue | ResponseStatus::Done => {}
        }
    }
    let answer = match response {
        ResponseReading::Valid(answer) => Some(answer),
        ResponseReading::Missing | ResponseReading::Malformed { .. } => None,
    };
    match exit {
        Exit::Exited { code: 0 } => {}
        Exit::Exited { code } => {
            return broken(
                answer,
                TurnStatus::Failed,
                "agent_exit",
                FailureClass::Agent,
                &format!("the agent exited with code {code}"),
                "look at the turn's stderr (`dogwatch logs`), mend the agent's command, then retry",
            );
        }
        Exit::Signalled { signal } => {
            return broken(
                answer,
                TurnStatus::Failed,
                "agent_signal",
                FailureClass::Agent,
                &format!("signal {signal} ended the agent"),
                "look at the turn's output and at the machine's memory, then retry",
            );
        }
        Exit::NotStarted { error, not_found } => {
            let code = if *not_found {
                "agent_not_found"
            } else {
                "agent_not_startable"
            };
            return broken(
                answer,
                TurnStatus::Failed,
                code,
                FailureClass::Input,
                &format!("the agent could not be started: {error}"),
                "check `command` of the agent (`dogwatch config show --origin`)",
            );
        }
        Exit::Budget { budget_ms } => {
            return broken(
                answer,
                TurnStatus::TimedOut,
                "turn_budget",
                FailureClass::Limit,
                &format!("the turn took longer than its budget of {budget_ms} ms"),
                "raise limits.turn_budget_ms, or make the task smaller",
            );
        }
        Exit::Stalled { silent_ms } => {
            return broken(
                answer,
                TurnStatus::Stalled,
                "stalled",
                FailureClass::Agent,
                &format!("the agent printed nothing for {silent_ms} ms"),
                "raise limits.stall_window_ms if the agent works silently",
            );
        }
        Exit::Stopped { reason } => {
            return broken(
                answer,
                TurnStatus::Stopped,
                "stopped",
                FailureClass::Stopped,
                &format!("the turn was stopped: {reason}"),
                "`dogwatch jobs retry` starts it again",
            );
        }
        Exit::Fenced {} => {
            return broken(
                answer,
                TurnStatus::Stopped,
                "fenced",
                FailureClass::Lease,
                "the lease was not renewed in time, so the agent was ended",
                "nothing: the job is queued again",
            );
        }
    }
    match response {
        ResponseReading::Valid(answer) => completed(answer, silent_unless_blocked),
        ResponseReading::Missing if missing == MissingResponse::MeansDone => completed(
            &AgentResponse {
                status: ResponseStatus::Done,
                summary: String::new(),
                next_task: None,
                tool_calls: Vec::new(),
            },
            silent_unless_blocked,
        ),
        ResponseReading::Missing => broken(
            None,
            TurnStatus::Failed,
            "response_missing",
            FailureClass::Agent,
            "the agent left no response",
            "the agent must write its response before it exits",
        ),
        ResponseReading::Malformed { error } => broken(
            None,
            TurnStatus::Failed,
            "response_malformed",
            FailureClass::Agent,
            &format!("the agent's response is not valid: {error}"),
            "compare it with schemas/agent-response.schema.json",
        ),
    }
}

fn completed(answer: &AgentResponse, silent_unless_blocked: bool) -> TurnVerdict {
    let calls = answer.tool_calls.len();
    let (outcome, outcome_reason) = if silent_unless_blocked && calls == 0 {
        (
            TurnOutcome::NoOpSuccess,
            "Turn completed with no tool calls and is silent unless blocked".to_owned(),
        )
    } else {
        (
            TurnOutcome::MeaningfulCompletion,
            format!("Turn completed normally with {calls} tool call(s)"),
        )
    };
    TurnVerdict {
        status: TurnStatus::Completed,
        response_status: Some(answer.status),
        outcome,
        outcome_reason,
        summary: clip(answer.summary.trim(), crate::failure::MAX_TEXT),
        next_task: answer
            .next_task
            .as_deref()
            .map(str::trim)
            .filter(|task| !task.is_empty())
            .map(str::to_owned),
        tool_calls: u32::try_from(calls).unwrap_or(u32::MAX),
        failure: None,
    }
}

fn escalated(answer: &AgentResponse, status: TurnStatus) -> TurnVerdict {
    let said = answer.status.as_str();
    let summary = answer.summary.trim();
    let reason = if summary.is_empty() {
        format!("the agent reported `{said}` without a summary")
    } else {
        summary.to_owned()
    };
    let (code, next_action) = if status == TurnStatus::Blocked {
        (
            "agent_blocked",
            "do what the agent asks for, then `dogwatch jobs retry`",
        )
    } else {
        (
            "agent_failed",
            "read the agent's output, change the task, then `dogwatch jobs retry`",
        )
    };
    TurnVerdict {
        status,
        response_status: Some(answer.status),
        outcome: TurnOutcome::EscalationBlocker,
        outcome_reason: format!("Turn ended with status={said}; external action required"),
        summary: clip(summary, crate::failure::MAX_TEXT),
        next_task: None,
        tool_calls: u32::try_from(answer.tool_calls.len()).unwrap_or(u32::MAX),
        failure: Some(Failure::new(
            FailureClass::Agent,
            code,
            STAGE,
            reason,
            next_action,
        )),
    }
}

fn broken(
    answer: Option<&AgentResponse>,
    status: TurnStatus,
    code: &str,
    class: FailureClass,
    reason: &str,
    next_action: &str,
) -> TurnVerdict {
    TurnVerdict {
        status,
        response_status: answer.map(|answer| answer.status),
        outcome: TurnOutcome::Unclassified,
        outcome_reason: reason.to_owned(),
        summary: answer.map_or_else(String::new, |answer| {
            clip(answer.summary.trim(), crate::failure::MAX_TEXT)
        }),
        next_task: None,
        tool_calls: answer.map_or(0, |answer| {
            u32::try_from(answer.tool_calls.len()).unwrap_or(u32::MAX)
        }),
        failure: Some(Failure::new(class, code, STAGE, reason, next_action)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(json: &str) -> ResponseReading {
        ResponseReading::parse(json.as_bytes())
    }

    fn verdict(exit: Exit, response: &ResponseReading) -> TurnVerdict {
        judge(&exit, response, MissingResponse::MeansDone, false)
    }

    const EXIT_0: Exit = Exit::Exited { code: 0 };

    #[test]
    fn a_plain_command_says_done_by_exiting_well() {
        let verdict = verdict(EXIT_0, &ResponseReading::Missing);
        assert_eq!(verdict.status, TurnStatus::Completed);
        assert_eq!(verdict.response_status, Some(ResponseStatus::Done));
        assert_eq!(verdict.outcome, TurnOutcome::MeaningfulCompletion);
        assert_eq!(
            verdict.outcome_reason,
            "Turn completed normally with 0 tool call(s)"
        );
    }

    #[test]
    fn a_protocol_that_demands_a_response_fails_without_one() {
        let verdict = judge(
            &EXIT_0,
            &ResponseReading::Missing,
            MissingResponse::IsFailure,
            false,
        );
        assert_eq!(verdict.failure.unwrap().code, "response_missing");
    }

    #[test]
    fn blocked_and_failed_win_over_the_exit() {
        for (status, turn, code) in [
            ("blocked", TurnStatus::Blocked, "agent_blocked"),
            ("failed", TurnStatus::Failed, "agent_failed"),
        ] {
            for exit in [
                EXIT_0,
                Exit::Exited { code: 3 },
                Exit::Stalled { silent_ms: 9 },
            ] {
                let answer = response(&format!(r#"{{"status":"{status}","summary":"no key"}}"#));
                let verdict = verdict(exit, &answer);
                assert_eq!(verdict.status, turn);
                assert_eq!(verdict.outcome, TurnOutcome::EscalationBlocker);
                assert_eq!(
                    verdict.outcome_reason,
                    format!("Turn ended with status={status}; external action required")
                );
                assert_eq!(verdict.failure.unwrap().code, code);
            }
        }
    }

    #[test]
    fn done_with_a_bad_exit_is_a_failure() {
        let verdict = verdict(Exit::Exited { code: 1 }, &response(r#"{"status":"done"}"#));
        assert_eq!(verdict.status, TurnStatus::Failed);
        assert_eq!(verdict.failure.unwrap().code, "agent_exit");
    }

    #[test]
    fn a_malformed_response_is_a_failure_even_with_exit_0() {
        let verdict = verdict(EXIT_0, &response("{"));
        assert_eq!(verdict.status, TurnStatus::Failed);
        assert_eq!(verdict.failure.unwrap().code, "response_malformed");
    }

    #[test]
    fn each_way_to_be_ended_has_its_own_status_and_code() {
        for (exit, status, code) in [
            (
                Exit::Budget { budget_ms: 5 },
                TurnStatus::TimedOut,
                "turn_budget",
            ),
            (
                Exit::Stalled { silent_ms: 5 },
                TurnStatus::Stalled,
                "stalled",
            ),
            (
                Exit::Stopped { reason: "x".into() },
                TurnStatus::Stopped,
                "stopped",
            ),
            (Exit::Fenced {}, TurnStatus::Stopped, "fenced"),
            (
                Exit::Signalled { signal: 9 },
                TurnStatus::Failed,
                "agent_signal",
            ),
            (
                Exit::NotStarted {
                    error: "x".into(),
                    not_found: true,
                },
                TurnStatus::Failed,
                "agent_not_found",
            ),
        ] {
            let verdict = verdict(exit, &response(r#"{"status":"done"}"#));
            assert_eq!(verdict.status, status);
            assert_eq!(verdict.outcome, TurnOutcome::Unclassified);
            assert_eq!(verdict.failure.unwrap().code, code);
        }
    }

    #[test]
    fn a_silent_turn_that_did_nothing_is_a_no_op() {
        let verdict = judge(
            &EXIT_0,
            &response(r#"{"status":"done"}"#),
            MissingResponse::MeansDone,
            true,
        );
        assert_eq!(verdict.outcome, TurnOutcome::NoOpSuccess);
    }

    #[test]
    fn a_blank_next_task_is_none() {
        let verdict = verdict(
            EXIT_0,
            &response(r#"{"status":"continue","next_task":"  "}"#),
        );
        assert_eq!(verdict.next_task, None);
    }
}
