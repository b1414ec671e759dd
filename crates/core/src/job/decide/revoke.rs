//! A lease is taken from a holder that is known to be dead: its run is orphaned and the job goes on without it.

use super::approve::supersede;
use super::close::{consequence, requeue};
use crate::job::command::RevokeLease;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::run_header::{RunClosure, RunOutcome};
use crate::job::state::Job;
use crate::time::Timestamp;

pub(super) fn decide(
    job: &Job,
    command: &RevokeLease,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    let lease = job
        .active_lease()
        .filter(|lease| lease.id == command.lease)
        .ok_or(Refusal::LeaseLost { current: job.epoch })?;
    let end = JobEvent::LeaseRevoked {
        lease: lease.id,
        epoch: lease.epoch,
        reason: command.reason.clone(),
    };
    Ok(orphaned(job, end, &command.closure, now))
}

/// A lease ends, and with it what was done under it.
pub(super) fn orphaned(
    job: &Job,
    end: JobEvent,
    closure: &RunClosure,
    now: Timestamp,
) -> Vec<JobEvent> {
    let mut events = vec![end];
    events.extend(supersede(job, None, "the lease was lost"));
    let mut closure = closure.clone();
    closure.outcome = RunOutcome::Orphaned;
    if job.open_run().is_some() {
        events.extend(closing(job, closure.clone()));
        events.extend(consequence(job, &closure, now));
        return events;
    }
    match &job.cancel {
        Some(cancel) => events.push(JobEvent::Cancelled {
            reason: cancel.reason.clone(),
        }),
        None => events.extend(requeue(job, "lease_lost", None, now)),
    }
    events
}

/// The end of the run that is open, if one is.
pub(super) fn closing(job: &Job, closure: RunClosure) -> Option<JobEvent> {
    job.open_run().map(|run| JobEvent::RunClosed {
        run: run.id,
        closure,
    })
}
