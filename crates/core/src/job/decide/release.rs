//! The holder gives a job back before it started a run.

use super::close::requeue;
use super::fence;
use crate::job::command::ReleaseLease;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::state::{Job, JobState};
use crate::time::Timestamp;

pub(super) fn decide(
    job: &Job,
    command: &ReleaseLease,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    fence(job, command.lease, command.epoch)?;
    let JobState::Leased { .. } = &job.state else {
        return Err(Refusal::WrongState {
            status: job.state.status(),
            command: "be released (a started run is completed instead)",
        });
    };
    let released = JobEvent::LeaseReleased {
        lease: command.lease,
        epoch: command.epoch,
        reason: command.reason.clone(),
    };
    // A run that was parked has its end still before it, and only whoever resumes it can write that.
    if job.open_run().is_some() {
        return Err(Refusal::WrongState {
            status: job.state.status(),
            command: "be released (its run was parked: start it, or let the lease go)",
        });
    }
    let mut events = vec![released];
    match &job.cancel {
        Some(cancel) => events.push(JobEvent::Cancelled {
            reason: cancel.reason.clone(),
        }),
        None => events.extend(requeue(job, &command.reason, None, now)),
    }
    Ok(events)
}
