//! Folding events into state. Total: an event that the state does not accept changes nothing, so a terminal job stays terminal.

use super::event::{JobEvent, Submitted};
use super::lease::LeaseState;
use super::state::{CancelRequest, Job, JobState, JobStream};
use crate::event::Epoch;
use crate::ids::{LeaseId, RunId};
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
        deadline: facts.deadline,
        max_attempts: facts.max_attempts,
        retry_of: facts.retry_of,
        first_attempt: facts.first_attempt,
        state: JobState::Queued {
            not_before: facts.not_before,
            reason: None,
        },
        epoch: Epoch::default(),
        lease: None,
        runs: Vec::new(),
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
            let granted = lease.epoch > job.epoch
                && job.active_lease().is_none()
                && become_state(job, JobState::Leased {});
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
        JobEvent::Requeued {
            reason,
            not_before,
            max_attempts,
        } => {
            let queued = become_state(
                job,
                JobState::Queued {
                    not_before: *not_before,
                    reason: Some(reason.clone()),
                },
            );
            if queued {
                job.max_attempts = *max_attempts;
            }
            queued
        }
        JobEvent::CancelRequested { reason } => {
            let waiting = job.active_lease().is_some() && job.cancel.is_none();
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
