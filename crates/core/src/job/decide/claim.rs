//! A runner takes a job: the decision first, then the lease at a new epoch.

use super::submit::denial;
use crate::job::command::ClaimJob;
use crate::job::event::{DecisionEffect, JobEvent};
use crate::job::lease::{Lease, LeaseState};
use crate::job::refusal::Refusal;
use crate::job::state::{Job, JobState};
use crate::time::Timestamp;

pub(super) fn decide(
    job: &Job,
    command: &ClaimJob,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    if job
        .active_lease()
        .is_some_and(|lease| lease.claim == command.claim)
    {
        return Ok(Vec::new());
    }
    let JobState::Queued { not_before, .. } = &job.state else {
        return Err(Refusal::WrongState {
            status: job.state.status(),
            command: "be claimed",
        });
    };
    if let Some(at) = not_before.filter(|at| *at > now) {
        return Err(Refusal::NotYet(at));
    }
    let decided = JobEvent::PolicyDecided(command.decision.clone());
    let next = match command.decision.effect {
        DecisionEffect::Deny => JobEvent::Denied {
            failure: denial(
                &command.decision.policy,
                &command.decision.reason,
                "dispatch",
            ),
        },
        DecisionEffect::Allow => JobEvent::LeaseGranted {
            lease: Lease {
                id: command.lease,
                epoch: job.epoch.next(),
                machine: command.machine,
                holder: command.holder.clone(),
                claim: command.claim,
                ttl_ms: command.ttl_ms,
                granted_at: now,
                state: LeaseState::Active,
            },
        },
    };
    Ok(vec![decided, next])
}
