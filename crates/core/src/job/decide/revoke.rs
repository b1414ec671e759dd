//! A lease is taken from a holder that is known to be dead: its run is orphaned and the job goes on without it.

use super::close::{consequence, requeue};
use crate::job::command::RevokeLease;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::run_header::RunOutcome;
use crate::job::state::Job;

pub(super) fn decide(job: &Job, command: &RevokeLease) -> Result<Vec<JobEvent>, Refusal> {
    let lease = job
        .active_lease()
        .filter(|lease| lease.id == command.lease)
        .ok_or(Refusal::LeaseLost { current: job.epoch })?;
    let mut events = vec![JobEvent::LeaseRevoked {
        lease: lease.id,
        epoch: lease.epoch,
        reason: command.reason.clone(),
    }];
    match job.open_run() {
        Some(run) => {
            let mut closure = command.closure.clone();
            closure.outcome = RunOutcome::Orphaned;
            let next = consequence(job, &closure, closure.at);
            events.push(JobEvent::RunClosed {
                run: run.id,
                closure,
            });
            events.push(next);
        }
        None => match &job.cancel {
            Some(cancel) => events.push(JobEvent::Cancelled {
                reason: cancel.reason.clone(),
            }),
            None => events.push(requeue(job, "lease_lost", None)),
        },
    }
    Ok(events)
}
