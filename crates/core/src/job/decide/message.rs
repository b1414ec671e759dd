//! Progress of an open run, for whoever follows.

use super::fence;
use crate::event::Epoch;
use crate::failure::clip;
use crate::ids::{LeaseId, RunId};
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::state::Job;

/// The longest text of a message.
const MAX_TEXT: usize = 1_000;

pub(super) fn decide(
    job: &Job,
    lease: LeaseId,
    epoch: Epoch,
    run: RunId,
    topic: &str,
    text: &str,
) -> Result<Vec<JobEvent>, Refusal> {
    fence(job, lease, epoch)?;
    match job.open_run() {
        Some(open) if open.id == run => Ok(vec![JobEvent::Message {
            run,
            topic: clip(topic, 40),
            text: clip(text, MAX_TEXT),
        }]),
        Some(_) | None => Err(Refusal::WrongRun),
    }
}
