//! One more attempt of a blocked job. A terminal job is repeated by a new job, which the engine submits.

use crate::job::command::RetryJob;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::state::{Job, JobStatus};

pub(super) fn decide(job: &Job, command: &RetryJob) -> Result<Vec<JobEvent>, Refusal> {
    match job.state.status() {
        JobStatus::Blocked => Ok(vec![JobEvent::Requeued {
            reason: command.reason.clone(),
            not_before: None,
            max_attempts: job.max_attempts.max(job.starts() + 1),
        }]),
        status => Err(Refusal::WrongState {
            status,
            command: "be queued again",
        }),
    }
}
