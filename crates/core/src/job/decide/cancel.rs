//! Calling a job off: at once where nothing runs, as a request to the runner where something does.

use super::approve::supersede;
use super::revoke::closing;
use crate::failure::{Failure, FailureClass};
use crate::job::command::CancelJob;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::run_header::{Assurance, RunClosure, RunOutcome};
use crate::job::state::{Job, JobState, JobStatus};
use crate::time::Timestamp;

pub(super) fn decide(
    job: &Job,
    command: &CancelJob,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    let reason = command.reason.clone();
    match job.state.status() {
        JobStatus::Queued | JobStatus::AwaitingApproval | JobStatus::Blocked => {
            let mut events = supersede(job, None, "the job was cancelled");
            events.push(JobEvent::Cancelled { reason });
            Ok(events)
        }
        // The machine that has the run is asked to end it in order first; asking again does not wait for it.
        JobStatus::Parked if job.cancel.is_none() => {
            let mut events = supersede(job, None, "the job was cancelled");
            events.push(JobEvent::CancelRequested { reason });
            if matches!(job.state, JobState::Parked { due: false, .. }) {
                events.push(JobEvent::Due {});
            }
            Ok(events)
        }
        JobStatus::Parked => {
            let mut events = supersede(job, None, "the job was cancelled");
            events.extend(closing(job, abandoned(&reason, now)));
            events.push(JobEvent::Cancelled { reason });
            Ok(events)
        }
        JobStatus::Leased | JobStatus::Running if job.cancel.is_some() => Ok(Vec::new()),
        JobStatus::Leased | JobStatus::Running => Ok(vec![JobEvent::CancelRequested { reason }]),
        JobStatus::Cancelled => Ok(Vec::new()),
        status @ (JobStatus::Succeeded
        | JobStatus::Failed
        | JobStatus::TimedOut
        | JobStatus::Denied
        | JobStatus::Expired) => Err(Refusal::WrongState {
            status,
            command: "be cancelled",
        }),
    }
}

fn abandoned(reason: &str, now: Timestamp) -> RunClosure {
    RunClosure {
        outcome: RunOutcome::Stopped,
        failure: Some(Failure::new(
            FailureClass::Stopped,
            "stopped",
            "parked",
            reason,
            "nothing: it was called off while it was parked",
        )),
        tree: None,
        assurance: Assurance::None,
        manifest: None,
        turns: 0,
        at: now,
    }
}
