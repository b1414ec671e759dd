//! The holder starts a run.

use super::fence;
use crate::job::command::StartRun;
use crate::job::event::JobEvent;
use crate::job::refusal::Refusal;
use crate::job::run_header::{Cleanup, RunHeader};
use crate::job::state::{Job, JobState};
use crate::time::Timestamp;

pub(super) fn decide(
    job: &Job,
    command: &StartRun,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    fence(job, command.lease, command.epoch)?;
    match &job.state {
        JobState::Running { run } if *run == command.run => return Ok(Vec::new()),
        // A run's id is its own for ever: what closed is not opened again under the same name.
        JobState::Leased {} if job.run(command.run).is_some() => return Err(Refusal::WrongRun),
        JobState::Leased {} => {}
        other => {
            return Err(Refusal::WrongState {
                status: other.status(),
                command: "start a run",
            });
        }
    }
    let machine = job
        .active_lease()
        .map(|lease| lease.machine)
        .ok_or(Refusal::LeaseLost { current: job.epoch })?;
    Ok(vec![JobEvent::RunCreated {
        run: RunHeader {
            id: command.run,
            attempt: job.first_attempt + job.starts(),
            lease: command.lease,
            epoch: command.epoch,
            machine,
            session: command.session,
            continues: command.continues,
            start_from: command.start_from,
            created_at: now,
            closed: None,
            cleanup: Cleanup::PENDING,
        },
    }])
}
