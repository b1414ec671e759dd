//! The holder gives a job back before it started a run.

use super::close::requeue;
use super::fence;
use crate::job::command::ReleaseLease;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::state::{Job, JobState};

pub(super) fn decide(job: &Job, command: &ReleaseLease) -> Result<Vec<JobEvent>, Refusal> {
    fence(job, command.lease, command.epoch)?;
    let JobState::Leased {} = &job.state else {
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
    let next = match &job.cancel {
        Some(cancel) => JobEvent::Cancelled {
            reason: cancel.reason.clone(),
        },
        None => requeue(job, &command.reason, None),
    };
    Ok(vec![released, next])
}
