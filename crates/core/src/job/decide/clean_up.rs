//! What happened to the workspace of a closed run. It never changes an outcome.

use crate::ids::RunId;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::run_header::Cleanup;
use crate::job::state::Job;

pub(super) fn decide(job: &Job, run: RunId, cleanup: &Cleanup) -> Result<Vec<JobEvent>, Refusal> {
    let header = job.run(run).ok_or(Refusal::WrongRun)?;
    if header.cleanup == *cleanup {
        return Ok(Vec::new());
    }
    Ok(vec![JobEvent::RunCleanedUp {
        run,
        cleanup: cleanup.clone(),
    }])
}
