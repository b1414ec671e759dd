//! One more attempt of a blocked job. A terminal job is repeated by a new job, which the engine submits.

use super::close::queue;
use crate::job::command::RetryJob;
use crate::job::event::{JobEvent, MAX_SAY_BYTES};
use crate::job::refusal::Refusal;
use crate::job::state::{Job, JobStatus};
use crate::time::Timestamp;

pub(super) fn decide(
    job: &Job,
    command: &RetryJob,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    if let Some(goes_on) = &command.goes_on {
        if job.run(goes_on.run).is_none() {
            return Err(Refusal::WrongRun);
        }
        let bytes = goes_on.say.as_ref().map_or(0, String::len);
        if bytes > MAX_SAY_BYTES {
            return Err(Refusal::TooLong {
                what: "what is said to the agent",
                bytes,
                max: MAX_SAY_BYTES,
            });
        }
    }
    match job.state.status() {
        JobStatus::Blocked => Ok(queue(
            job,
            JobEvent::Requeued {
                reason: command.reason.clone(),
                max_attempts: job.max_attempts.max(job.starts() + 1),
                backoff_ms: None,
                goes_on: command.goes_on.clone(),
            },
            now,
        )),
        status => Err(Refusal::WrongState {
            status,
            command: "be queued again",
        }),
    }
}
