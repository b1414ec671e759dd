//! Calling a job off: at once where nothing runs, as a request to the runner where something does.

use crate::job::command::CancelJob;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::state::{Job, JobStatus};

pub(super) fn decide(job: &Job, command: &CancelJob) -> Result<Vec<JobEvent>, Refusal> {
    let reason = command.reason.clone();
    match job.state.status() {
        JobStatus::Queued
        | JobStatus::AwaitingApproval
        | JobStatus::Parked
        | JobStatus::Blocked => Ok(vec![JobEvent::Cancelled { reason }]),
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
