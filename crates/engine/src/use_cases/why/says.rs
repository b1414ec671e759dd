//! What an event means, in a sentence for a person.

use dogwatch_core::ids::RunId;
use dogwatch_core::job::{
    Approval, ApprovalDecision, ApprovalKind, DecisionEffect, JobEvent, JudgementKind, RunClosure,
    RunOutcome, Submitted,
};

/// The run that an event belongs to alone.
pub(super) fn run_of(event: &JobEvent) -> Option<RunId> {
    match event {
        JobEvent::RunCreated { run } => Some(run.id),
        JobEvent::RunClosed { run, .. }
        | JobEvent::RunCleanedUp { run, .. }
        | JobEvent::RunJudged { run, .. }
        | JobEvent::RunLanded { run, .. }
        | JobEvent::RunResumed { run, .. }
        | JobEvent::Message { run, .. }
        | JobEvent::Parked { run, .. } => Some(*run),
        JobEvent::ApprovalRequested(approval) => approval.run,
        _ => None,
    }
}

/// The sentence.
pub(super) fn says(event: &JobEvent) -> String {
    match event {
        JobEvent::PolicyDecided(decided) => {
            let effect = match decided.effect {
                DecisionEffect::Allow => "allows",
                DecisionEffect::Deny => "denies",
            };
            format!(
                "{} {effect} {}: {}",
                decided.policy, decided.action, decided.reason
            )
        }
        JobEvent::Submitted(facts) => submitted(facts),
        JobEvent::Denied { failure } => format!("it was denied: {}", failure.reason),
        JobEvent::LeaseGranted { lease } => {
            format!(
                "{} took it under {} at epoch {}",
                lease.machine, lease.id, lease.epoch
            )
        }
        JobEvent::LeaseReleased { lease, reason, .. } => {
            format!("{lease} was given back ({reason})")
        }
        JobEvent::LeaseExpired { lease, .. } => {
            format!("{lease} was not renewed in time and ended")
        }
        JobEvent::LeaseRevoked { lease, reason, .. } => {
            format!("{lease} was taken away ({reason})")
        }
        JobEvent::RunCreated { run } => {
            let from = run
                .continues
                .map_or_else(String::new, |before| format!(", going on from {before}"));
            format!("attempt {} started as {}{from}", run.attempt, run.id)
        }
        JobEvent::RunClosed { run, closure } => closed(*run, closure),
        JobEvent::RunCleanedUp { run, .. } => format!("the workspace of {run} was dealt with"),
        JobEvent::RunJudged { run, judgement } => {
            let said = match judgement.kind {
                JudgementKind::Promote => "promoted",
                JudgementKind::Reject => "rejected",
            };
            let why = judgement
                .reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{} {said} {run}{why}", judgement.by)
        }
        JobEvent::RunLanded { run, landed } => {
            format!(
                "the change of {run} is at {} in {}",
                landed.commit, landed.reference
            )
        }
        JobEvent::Requeued {
            reason, backoff_ms, ..
        } => match backoff_ms {
            Some(ms) => format!("it was queued again ({reason}), after a wait of {ms} ms"),
            None => format!("it was queued again ({reason})"),
        },
        JobEvent::Due {} => "what it waited for is there".to_owned(),
        JobEvent::AwaitingApproval { approval } => {
            format!("it waits for {approval} before it starts")
        }
        JobEvent::Parked {
            run,
            machine,
            reason,
            until,
            ..
        } => {
            let until = until.map_or_else(String::new, |at| format!(" until {at}"));
            format!(
                "{run} was parked on {machine} for {}{until}",
                reason.as_str()
            )
        }
        JobEvent::Expired {} => "its deadline passed before it was done".to_owned(),
        JobEvent::RunResumed { run, epoch, .. } => format!("{run} went on at epoch {epoch}"),
        JobEvent::Message { topic, text, .. } => format!("{topic}: {text}"),
        JobEvent::ApprovalRequested(approval) => requested(approval),
        JobEvent::ApprovalApproved { approval, decision } => {
            decided(&approval.to_string(), "approved", decision)
        }
        JobEvent::ApprovalRejected { approval, decision } => {
            decided(&approval.to_string(), "rejected", decision)
        }
        JobEvent::ApprovalExpired { approval } => {
            format!("nobody decided {approval} in time, which means no")
        }
        JobEvent::ApprovalSuperseded { approval, reason } => {
            format!("{approval} counts no more: {reason}")
        }
        JobEvent::ApprovalUsed { approval } => format!("{approval} was used up by this start"),
        JobEvent::CancelRequested { reason } => {
            format!("its runner was asked to stop it: {reason}")
        }
        JobEvent::Cancelled { reason } => format!("it was cancelled: {reason}"),
        JobEvent::Succeeded {} => "it succeeded".to_owned(),
        JobEvent::Failed {
            failure,
            dead_letter,
        } => {
            let last = if *dead_letter {
                ", and its attempts are used up"
            } else {
                ""
            };
            format!("it failed ({}): {}{last}", failure.code, failure.reason)
        }
        JobEvent::TimedOut { failure } => {
            format!("it ran out of time ({}): {}", failure.code, failure.reason)
        }
        JobEvent::Blocked { failure } => {
            format!("it is blocked ({}): {}", failure.code, failure.reason)
        }
    }
}

fn submitted(facts: &Submitted) -> String {
    let mut text = match facts.retry_of {
        Some(before) => format!("it was submitted to repeat {before}"),
        None => "it was submitted".to_owned(),
    };
    if let Some(at) = facts.not_before {
        text.push_str(&format!(", not to start before {at}"));
    }
    if let Some(at) = facts.deadline {
        text.push_str(&format!(", worthless after {at}"));
    }
    if let Some(session) = facts.session {
        let exact = if facts.exact { "for exactly" } else { "for" };
        text.push_str(&format!(", {exact} {session}"));
    }
    text
}

fn closed(run: RunId, closure: &RunClosure) -> String {
    let how = match closure.outcome {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Blocked => "was blocked",
        RunOutcome::Stopped => "was stopped",
        RunOutcome::TimedOut => "ran out of time",
        RunOutcome::Orphaned => "was orphaned",
    };
    match &closure.failure {
        Some(failure) => format!("{run} {how} ({}): {}", failure.code, failure.reason),
        None => format!("{run} {how}"),
    }
}

fn requested(approval: &Approval) -> String {
    let what = match approval.kind {
        ApprovalKind::StartRun => "the start",
        ApprovalKind::AgentAction => "an action of its agent",
    };
    format!(
        "{} asks for approval of {what}: {}",
        approval.id, approval.reason
    )
}

fn decided(approval: &str, how: &str, decision: &ApprovalDecision) -> String {
    let note = decision
        .note
        .as_ref()
        .map_or_else(String::new, |note| format!(": {note}"));
    format!("{} {how} {approval}{note}", decision.by)
}
