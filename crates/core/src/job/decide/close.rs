//! The end of a run, and what it means for the job.

use super::approve::{last_policy, next_start, supersede};
use super::fence;
use crate::failure::{Failure, FailureClass};
use crate::job::MAX_AUTOMATIC_ATTEMPTS;
use crate::job::command::CloseRun;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::run_header::{RunClosure, RunOutcome};
use crate::job::state::{Job, JobState};
use crate::time::Timestamp;

/// How long a job waits before its second attempt, in milliseconds; each further one waits twice as long.
const RETRY_DELAY_MS: u64 = 5_000;

/// The longest wait before another attempt, in milliseconds.
const MAX_RETRY_DELAY_MS: u64 = 3_600_000;

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
    let mut events = supersede(job, None, "the run ended");
    events.push(JobEvent::RunClosed {
        run: command.run,
        closure: command.closure.clone(),
    });
    events.push(JobEvent::LeaseReleased {
        lease: command.lease,
        epoch: command.epoch,
        reason: "run_closed".to_owned(),
    });
    events.extend(consequence(job, &command.closure, now));
    Ok(events)
}

/// What the end of a run makes of its job.
pub(super) fn consequence(job: &Job, closure: &RunClosure, now: Timestamp) -> Vec<JobEvent> {
    let failure = || {
        closure
            .failure
            .clone()
            .unwrap_or_else(|| unexplained(closure.outcome))
    };
    let cancelled = job.cancel.as_ref().map(|cancel| JobEvent::Cancelled {
        reason: cancel.reason.clone(),
    });
    match (closure.outcome, cancelled) {
        (RunOutcome::Succeeded, _) => vec![JobEvent::Succeeded {}],
        (RunOutcome::Blocked, _) => vec![JobEvent::Blocked { failure: failure() }],
        (RunOutcome::TimedOut, _) => vec![JobEvent::TimedOut { failure: failure() }],
        (RunOutcome::Stopped | RunOutcome::Failed | RunOutcome::Orphaned, Some(cancelled)) => {
            vec![cancelled]
        }
        (RunOutcome::Stopped, None) => requeue(job, "stopped", None, now),
        (RunOutcome::Failed, None) => {
            let failure = failure();
            let starts = job.starts();
            if starts < job.max_attempts && is_retryable(&failure) {
                let doubled = 2_u64.saturating_pow(starts.saturating_sub(1));
                let delay = RETRY_DELAY_MS
                    .saturating_mul(doubled)
                    .min(MAX_RETRY_DELAY_MS);
                requeue(job, &failure.code, Some(delay), now)
            } else {
                let dead_letter = is_retryable(&failure) && job.max_attempts > 1;
                vec![JobEvent::Failed {
                    failure,
                    dead_letter,
                }]
            }
        }
        // A crash is not the job's fault, but a job that brings down its runner every time must not do so for ever.
        (RunOutcome::Orphaned, None) if job.starts() < MAX_AUTOMATIC_ATTEMPTS => {
            requeue(job, "lease_lost", None, now)
        }
        (RunOutcome::Orphaned, None) => vec![JobEvent::Failed {
            failure: Failure::new(
                FailureClass::Lease,
                "lease_lost",
                "running",
                format!("the runner died in each of {} attempts", job.starts()),
                "look at the last run's bundle, then `dogwatch jobs retry` it",
            ),
            dead_letter: true,
        }],
    }
}

/// The job goes back into the queue, and to a person first where every start needs one.
pub(super) fn requeue(
    job: &Job,
    reason: &str,
    backoff_ms: Option<u64>,
    now: Timestamp,
) -> Vec<JobEvent> {
    let requeued = JobEvent::Requeued {
        reason: reason.to_owned(),
        max_attempts: job.max_attempts,
        backoff_ms,
        goes_on: None,
    };
    queue(job, requeued, now)
}

/// A job is queued again by `requeued`. An approval covers one start, so the next one is asked for.
pub(super) fn queue(job: &Job, requeued: JobEvent, now: Timestamp) -> Vec<JobEvent> {
    let mut events = vec![requeued];
    events.extend(next_start(job, last_policy(job), now).into_iter().flatten());
    events
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
