//! A new job: the decision first, then the job, then its denial if that is what was decided.

use super::approve;
use crate::failure::{Failure, FailureClass};
use crate::job::command::SubmitJob;
use crate::job::event::{DecisionEffect, JobEvent};
use crate::job::refusal::Refusal;
use crate::job::state::JobStream;
use crate::time::Timestamp;

pub(super) fn decide(
    stream: &JobStream,
    command: &SubmitJob,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    if let Some(job) = &stream.job {
        return Err(Refusal::AlreadyExists(job.id));
    }
    let mut events = vec![
        JobEvent::PolicyDecided(command.decision.clone()),
        JobEvent::Submitted(command.facts.clone()),
    ];
    if command.decision.effect == DecisionEffect::Deny {
        events.push(JobEvent::Denied {
            failure: denial(&command.decision.policy, &command.decision.reason, "submit"),
        });
        return Ok(events);
    }
    let asked = approve::first_start(&command.facts, command.decision.policy_digest, now);
    events.extend(asked.into_iter().flatten());
    Ok(events)
}

/// The failure of a job that policy refused.
pub(super) fn denial(policy: &str, reason: &str, stage: &str) -> Failure {
    Failure::new(
        FailureClass::Policy,
        "policy_denied",
        stage,
        format!("{policy}: {reason}"),
        "change the request, or ask whoever owns the policy",
    )
}
