//! The end of a run, and what it means for the job.

use std::time::Duration;

use super::fence;
use crate::failure::{Failure, FailureClass};
use crate::job::MAX_AUTOMATIC_ATTEMPTS;
use crate::job::command::CloseRun;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::run_header::{RunClosure, RunOutcome};
use crate::job::state::{Job, JobState};
use crate::time::Timestamp;

/// How long a job waits before its second attempt; each further one waits twice as long.
const RETRY_DELAY: Duration = Duration::from_secs(5);

pub(super) fn decide(
    job: &Job,
    command: &CloseRun,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    let reported_before = job
        .run(command.run)
        .and_then(|run| run.closed.as_ref().map(|closed| (run, closed)))
        .is_some_and(|(run, closed)| {
            run.lease == command.lease
                && run.epoch == command.epoch
                && closed.outcome == command.closure.outcome
                && closed.manifest == command.closure.manifest
        });
    if reported_before {
        return Ok(Vec::new());
    }
    fence(job, command.lease, command.epoch)?;
    match &job.state {
        JobState::Running { run } if *run == command.run => {}
        JobState::Running { .. } => return Err(Refusal::WrongRun),
        other => {
            return Err(Refusal::WrongState {
                status: other.status(),
                command: "complete a run",
            });
        }
    }
    Ok(vec![
        JobEvent::RunClosed {
            run: command.run,
            closure: command.closure.clone(),
        },
        JobEvent::LeaseReleased {
            lease: command.lease,
            epoch: command.epoch,
            reason: "run_closed".to_owned(),
        },
        consequence(job, &command.closure, now),
    ])
}

/// What the end of a run makes of its job.
pub(super) fn consequence(job: &Job, closure: &RunClosure, now: Timestamp) -> JobEvent {
    let failure = || {
        closure
            .failure
            .clone()
            .unwrap_or_else(|| unexplained(closure.outcome))
    };
    match closure.outcome {
        RunOutcome::Succeeded => JobEvent::Succeeded {},
        RunOutcome::Blocked => JobEvent::Blocked { failure: failure() },
        RunOutcome::TimedOut => JobEvent::TimedOut { failure: failure() },
        RunOutcome::Stopped => match &job.cancel {
            Some(cancel) => JobEvent::Cancelled {
                reason: cancel.reason.clone(),
            },
            None => requeue(job, "stopped", None),
        },
        RunOutcome::Failed => {
            let failure = failure();
            let starts = job.starts();
            if let Some(cancel) = &job.cancel {
                JobEvent::Cancelled {
                    reason: cancel.reason.clone(),
                }
            } else if starts < job.max_attempts && is_retryable(&failure) {
                let delay = RETRY_DELAY * 2_u32.saturating_pow(starts.saturating_sub(1)).min(720);
                requeue(job, &failure.code, Some(now.plus(delay)))
            } else {
                let dead_letter = is_retryable(&failure) && job.max_attempts > 1;
                JobEvent::Failed {
                    failure,
                    dead_letter,
                }
            }
        }
        RunOutcome::Orphaned => match &job.cancel {
            Some(cancel) => JobEvent::Cancelled {
                reason: cancel.reason.clone(),
            },
            // A crash is not the job's fault, but a job that brings down its runner every time must not do so for ever.
            None if job.starts() < MAX_AUTOMATIC_ATTEMPTS => requeue(job, "lease_lost", None),
            None => JobEvent::Failed {
                failure: Failure::new(
                    FailureClass::Lease,
                    "lease_lost",
                    "running",
                    format!("the runner died in each of {} attempts", job.starts()),
                    "look at the last run's bundle, then `dogwatch jobs retry` it",
                ),
                dead_letter: true,
            },
        },
    }
}

pub(super) fn requeue(job: &Job, reason: &str, not_before: Option<Timestamp>) -> JobEvent {
    JobEvent::Requeued {
        reason: reason.to_owned(),
        not_before,
        max_attempts: job.max_attempts,
    }
}

/// Another attempt can only help where the request itself was sound.
fn is_retryable(failure: &Failure) -> bool {
    match failure.class {
        FailureClass::Agent
        | FailureClass::Gate
        | FailureClass::Limit
        | FailureClass::Infrastructure
        | FailureClass::Lease => true,
        FailureClass::Input | FailureClass::Policy | FailureClass::Stopped => false,
    }
}

fn unexplained(outcome: RunOutcome) -> Failure {
    Failure::new(
        FailureClass::Infrastructure,
        "unexplained",
        "completing",
        format!(
            "the runner reported `{}` without a reason",
            outcome.as_str()
        ),
        "look at the run's bundle",
    )
}
