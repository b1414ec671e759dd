//! Folding events into state. Total: an event that the state does not accept changes nothing, so a terminal job stays terminal.

use super::approval::{ApprovalDecision, ApprovalState};
use super::event::{GoOn, JobEvent, Submitted};
use super::lease::LeaseState;
use super::state::{CancelRequest, Job, JobState, JobStream};
use crate::event::Epoch;
use crate::ids::{ApprovalId, LeaseId, RunId};
use crate::time::Timestamp;

impl JobStream {
    /// The state after `event`, which happened at `at`.
    #[must_use]
    pub fn apply(mut self, event: &JobEvent, at: Timestamp) -> Self {
        match (&mut self.job, event) {
            (None, JobEvent::Submitted(facts)) => self.job = Some(submitted(facts, at)),
            (Some(job), event) => apply_to_job(job, event, at),
            (None, _) => {}
        }
        self
    }
}

fn submitted(facts: &Submitted, at: Timestamp) -> Job {
    Job {
        id: facts.job,
        project: facts.project,
        session: facts.session,
        topic: facts.topic.clone(),
        title: facts.title.clone(),
        agent: facts.agent.clone(),
        base: facts.base.clone(),
        contract: facts.contract,
        priority: facts.priority,
        not_before: facts.not_before,
        deadline: facts.deadline,
        max_attempts: facts.max_attempts,
        retry_of: facts.retry_of,
        first_attempt: facts.first_attempt,
        exact: facts.exact,
        approval: facts.approval,
        trace: facts.trace.clone(),
        context: facts.context,
        state: JobState::Queued {
            reason: None,
            backoff_ms: None,
            since: at,
            goes_on: facts.goes_on.clone(),
        },
        epoch: Epoch::default(),
        lease: None,
        runs: Vec::new(),
        approvals: Vec::new(),
        cancel: None,
        created_at: at,
        updated_at: at,
    }
}

fn apply_to_job(job: &mut Job, event: &JobEvent, at: Timestamp) {
    let changed = match event {
        JobEvent::PolicyDecided(_) | JobEvent::Submitted(_) => false,
        JobEvent::Denied { failure } => become_state(
            job,
            JobState::Denied {
                failure: failure.clone(),
            },
        ),
        JobEvent::LeaseGranted { lease } => {
            let granted = lease.epoch > job.epoch && job.active_lease().is_none() && {
                let goes_on = goes_on(&job.state);
                become_state(job, JobState::Leased { goes_on })
            };
            if granted {
                job.epoch = lease.epoch;
                job.lease = Some(lease.clone());
            }
            granted
        }
        JobEvent::LeaseReleased { lease, epoch, .. } => {
            end_lease(job, *lease, *epoch, LeaseState::Released)
        }
        JobEvent::LeaseExpired { lease, epoch } => {
            end_lease(job, *lease, *epoch, LeaseState::Expired)
        }
        JobEvent::LeaseRevoked { lease, epoch, .. } => {
            end_lease(job, *lease, *epoch, LeaseState::Revoked)
        }
        JobEvent::RunCreated { run } => {
            let created = become_state(job, JobState::Running { run: run.id });
            if created {
                job.runs.push(run.clone());
            }
            created
        }
        JobEvent::RunClosed { run, closure } => match run_mut(job, *run) {
            Some(header) if header.closed.is_none() => {
                header.closed = Some(closure.clone());
                true
            }
            Some(_) | None => false,
        },
        // Clean-up may finish after the job did: it is the one thing a terminal job still learns about its runs.
        JobEvent::RunCleanedUp { run, cleanup } => match run_mut(job, *run) {
            Some(header) => {
                header.cleanup = cleanup.clone();
                true
            }
            None => false,
        },
        // A person judges what is over, so a terminal job learns of it too.
        JobEvent::RunJudged { run, judgement } => match run_mut(job, *run) {
            Some(header) if header.closed.is_some() && header.landed.is_none() => {
                header.judgement = Some(judgement.clone());
                true
            }
            Some(_) | None => false,
        },
        JobEvent::RunLanded { run, landed } => match run_mut(job, *run) {
            Some(header) if header.landed.is_none() => {
                header.landed = Some(landed.clone());
                true
            }
            Some(_) | None => false,
        },
        JobEvent::RunResumed { run, lease, epoch } => {
            let resumed = job.open_run().is_some_and(|open| open.id == *run)
                && become_state(job, JobState::Running { run: *run });
            if resumed && let Some(header) = run_mut(job, *run) {
                header.lease = *lease;
                header.epoch = *epoch;
            }
            resumed
        }
        JobEvent::Message { run, .. } => job.open_run().is_some_and(|open| open.id == *run),
        JobEvent::AwaitingApproval { approval } => {
            let goes_on = goes_on(&job.state);
            become_state(
                job,
                JobState::AwaitingApproval {
                    approval: *approval,
                    goes_on,
                },
            )
        }
        JobEvent::Parked {
            run,
            machine,
            reason,
            until,
            approval,
        } => become_state(
            job,
            JobState::Parked {
                run: *run,
                machine: *machine,
                reason: *reason,
                until: *until,
                approval: *approval,
                due: false,
            },
        ),
        JobEvent::Due {} => match &mut job.state {
            JobState::Queued {
                backoff_ms: backoff @ Some(_),
                ..
            } => {
                *backoff = None;
                true
            }
            JobState::Parked {
                due: due @ false, ..
            } => {
                *due = true;
                true
            }
            _ => false,
        },
        JobEvent::Expired {} => become_state(job, JobState::Expired {}),
        JobEvent::ApprovalRequested(approval) => {
            let new = job.approval(approval.id).is_none() && !job.state.status().is_terminal();
            if new {
                job.approvals.push(approval.clone());
            }
            new
        }
        JobEvent::ApprovalApproved { approval, decision } => {
            decided(job, *approval, ApprovalState::Approved, Some(decision))
        }
        JobEvent::ApprovalRejected { approval, decision } => {
            decided(job, *approval, ApprovalState::Rejected, Some(decision))
        }
        JobEvent::ApprovalExpired { approval } => {
            decided(job, *approval, ApprovalState::Expired, None)
        }
        JobEvent::ApprovalSuperseded { approval, reason } => {
            let left = move_approval(
                job,
                *approval,
                &[ApprovalState::Pending, ApprovalState::Approved],
                ApprovalState::Superseded,
            );
            if left && let Some(approval) = approval_mut(job, *approval) {
                approval.superseded = Some(reason.clone());
            }
            left
        }
        JobEvent::ApprovalUsed { approval } => move_approval(
            job,
            *approval,
            &[ApprovalState::Approved],
            ApprovalState::Used,
        ),
        JobEvent::Requeued {
            reason,
            max_attempts,
            backoff_ms,
            goes_on,
        } => {
            let queued = become_state(
                job,
                JobState::Queued {
                    reason: Some(reason.clone()),
                    backoff_ms: *backoff_ms,
                    since: at,
                    goes_on: goes_on.clone(),
                },
            );
            if queued {
                job.max_attempts = *max_attempts;
            }
            queued
        }
        JobEvent::CancelRequested { reason } => {
            let held = job.active_lease().is_some() || matches!(job.state, JobState::Parked { .. });
            let waiting = held && job.cancel.is_none();
            if waiting {
                job.cancel = Some(CancelRequest {
                    reason: reason.clone(),
                    at,
                });
            }
            waiting
        }
        JobEvent::Cancelled { reason } => become_state(
            job,
            JobState::Cancelled {
                reason: reason.clone(),
            },
        ),
        JobEvent::Succeeded {} => become_state(job, JobState::Succeeded {}),
        JobEvent::Failed {
            failure,
            dead_letter,
        } => become_state(
            job,
            JobState::Failed {
                failure: failure.clone(),
                dead_letter: *dead_letter,
            },
        ),
        JobEvent::TimedOut { failure } => become_state(
            job,
            JobState::TimedOut {
                failure: failure.clone(),
            },
        ),
        JobEvent::Blocked { failure } => become_state(
            job,
            JobState::Blocked {
                failure: failure.clone(),
            },
        ),
    };
    if changed {
        job.updated_at = at;
    }
}

fn become_state(job: &mut Job, next: JobState) -> bool {
    let legal = job.state.status().may_become(next.status());
    if legal {
        if next.status().is_terminal() || matches!(next, JobState::Queued { .. }) {
            job.cancel = None;
        }
        job.state = next;
    }
    legal
}

/// What the next run of a job that waits continues.
fn goes_on(state: &JobState) -> Option<GoOn> {
    match state {
        JobState::Queued { goes_on, .. } | JobState::AwaitingApproval { goes_on, .. } => {
            goes_on.clone()
        }
        _ => None,
    }
}

fn decided(
    job: &mut Job,
    id: ApprovalId,
    to: ApprovalState,
    decision: Option<&ApprovalDecision>,
) -> bool {
    let moved = move_approval(job, id, &[ApprovalState::Pending], to);
    if moved && let Some(approval) = approval_mut(job, id) {
        approval.decision = decision.cloned();
    }
    moved
}

fn move_approval(job: &mut Job, id: ApprovalId, from: &[ApprovalState], to: ApprovalState) -> bool {
    match approval_mut(job, id) {
        Some(approval) if from.contains(&approval.state) => {
            approval.state = to;
            true
        }
        Some(_) | None => false,
    }
}

fn approval_mut(job: &mut Job, id: ApprovalId) -> Option<&mut super::approval::Approval> {
    job.approvals.iter_mut().find(|approval| approval.id == id)
}

fn end_lease(job: &mut Job, id: LeaseId, epoch: Epoch, end: LeaseState) -> bool {
    match &mut job.lease {
        Some(lease)
            if lease.id == id && lease.epoch == epoch && lease.state == LeaseState::Active =>
        {
            lease.state = end;
            true
        }
        Some(_) | None => false,
    }
}

fn run_mut(job: &mut Job, id: RunId) -> Option<&mut super::run_header::RunHeader> {
    job.runs.iter_mut().find(|run| run.id == id)
}
