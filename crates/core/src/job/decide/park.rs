//! Setting a run aside, and letting it go on.

use super::fence;
use crate::job::approval::ApprovalState;
use crate::job::command::ParkRun;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::state::{Job, JobState};

pub(super) fn decide(job: &Job, command: &ParkRun) -> Result<Vec<JobEvent>, Refusal> {
    if let JobState::Parked { run, .. } = &job.state
        && *run == command.run
        && job
            .lease
            .as_ref()
            .is_some_and(|lease| lease.id == command.lease && lease.epoch == command.epoch)
    {
        return Ok(Vec::new());
    }
    fence(job, command.lease, command.epoch)?;
    match &job.state {
        JobState::Running { run } if *run == command.run => {}
        JobState::Running { .. } => return Err(Refusal::WrongRun),
        other => {
            return Err(Refusal::WrongState {
                status: other.status(),
                command: "be parked",
            });
        }
    }
    let machine = job
        .active_lease()
        .map(|lease| lease.machine)
        .ok_or(Refusal::LeaseLost { current: job.epoch })?;
    // What it waits for may have come while it was being set aside.
    let decided = match command.approval {
        Some(id) => {
            let approval = job.approval(id).ok_or(Refusal::NoSuchApproval(id))?;
            approval.state != ApprovalState::Pending
        }
        None => false,
    };
    let mut events = vec![
        JobEvent::LeaseReleased {
            lease: command.lease,
            epoch: command.epoch,
            reason: "parked".to_owned(),
        },
        JobEvent::Parked {
            run: command.run,
            machine,
            reason: command.reason,
            until: command.until,
            approval: command.approval,
        },
    ];
    // A run that is to be stopped is taken up again at once, so that it ends in order.
    if decided || job.cancel.is_some() {
        events.push(JobEvent::Due {});
    }
    Ok(events)
}

/// The wait is over.
pub(super) fn make_due(job: &Job) -> Vec<JobEvent> {
    match &job.state {
        JobState::Queued {
            backoff_ms: Some(_),
            ..
        }
        | JobState::Parked { due: false, .. } => vec![JobEvent::Due {}],
        _ => Vec::new(),
    }
}
