//! What time takes away: a lease that was not renewed, a job whose deadline passed before it started.

use super::approve::supersede;
use super::revoke::{closing, orphaned};
use crate::failure::{Failure, FailureClass};
use crate::job::command::ExpireLease;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::run_header::{Assurance, RunClosure, RunOutcome};
use crate::job::state::{Job, JobState};
use crate::time::Timestamp;

/// The reaper has watched the lease for its whole life.
pub(super) fn lease(
    job: &Job,
    command: &ExpireLease,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    let lease = job
        .active_lease()
        .filter(|lease| lease.id == command.lease)
        .ok_or(Refusal::LeaseLost { current: job.epoch })?;
    let end = JobEvent::LeaseExpired {
        lease: lease.id,
        epoch: lease.epoch,
    };
    Ok(orphaned(job, end, &command.closure, now))
}

/// The deadline passed and nothing runs.
pub(super) fn job(job: &Job, now: Timestamp) -> Result<Vec<JobEvent>, Refusal> {
    let waits = matches!(
        job.state,
        JobState::Queued { .. } | JobState::AwaitingApproval { .. } | JobState::Parked { .. }
    );
    let passed = job.deadline.is_some_and(|at| at <= now);
    if !waits || !passed {
        return Ok(Vec::new());
    }
    let mut events = supersede(job, None, "the job expired");
    events.extend(closing(
        job,
        RunClosure {
            outcome: RunOutcome::Stopped,
            failure: Some(Failure::new(
                FailureClass::Limit,
                "deadline_passed",
                "parked",
                "the job's deadline passed while its run was parked",
                "submit it again with a later deadline",
            )),
            tree: None,
            assurance: Assurance::None,
            manifest: None,
            turns: 0,
            at: now,
        },
    ));
    events.push(JobEvent::Expired {});
    Ok(events)
}
