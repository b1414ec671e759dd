//! A runner takes a job: the decision first, then the lease at a new epoch.

use super::submit::denial;
use super::{approve, expire};
use crate::job::command::ClaimJob;
use crate::job::event::{DecisionEffect, JobEvent};
use crate::job::lease::{Lease, LeaseState};
use crate::job::refusal::Refusal;
use crate::job::state::{Job, JobState};
use crate::queue::unmet;
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
    let starts = match &job.state {
        JobState::Queued { backoff_ms, .. } => {
            if let Some(at) = job.not_before.filter(|at| *at > now) {
                return Err(Refusal::NotYet(at));
            }
            if let Some(ms) = backoff_ms {
                return Err(Refusal::BackingOff(*ms));
            }
            true
        }
        JobState::Parked { due: true, .. } => false,
        other => {
            return Err(Refusal::WrongState {
                status: other.status(),
                command: "be claimed",
            });
        }
    };
    // The deadline may have passed before the sweep that says so.
    if job.deadline.is_some_and(|at| at <= now) {
        return expire::job(job, now);
    }
    if let Some(unmet) = unmet(job, &command.offer) {
        return Err(Refusal::Unmet(unmet));
    }
    let decided = JobEvent::PolicyDecided(command.decision.clone());
    let policy = command.decision.policy_digest;
    let approved = approve::for_start(job, policy);
    if starts
        && command.decision.effect == DecisionEffect::Allow
        && approved.is_none()
        && let Some(asked) = approve::next_start(job, policy, now)
    {
        // What was approved, if anything was, is not what would happen now.
        let mut events = vec![decided];
        events.extend(approve::supersede(
            job,
            None,
            "the policy or the epoch changed",
        ));
        events.extend(asked);
        return Ok(events);
    }
    let used = approved
        .filter(|_| starts && command.decision.effect == DecisionEffect::Allow)
        .map(|approval| JobEvent::ApprovalUsed {
            approval: approval.id,
        });
    let next = match command.decision.effect {
        DecisionEffect::Deny if !starts => return Err(Refusal::Policy),
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
                machine: command.offer.machine,
                holder: command.holder.clone(),
                claim: command.claim,
                ttl_ms: command.ttl_ms,
                granted_at: now,
                state: LeaseState::Active,
            },
        },
    };
    Ok([Some(decided), used, Some(next)]
        .into_iter()
        .flatten()
        .collect())
}
