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
        JobState::Leased { .. } => {}
        other => {
            return Err(Refusal::WrongState {
                status: other.status(),
                command: "start a run",
            });
        }
    }
    // A job that was parked goes on with the run it has; its id and its attempt stay.
    if let Some(open) = job.open_run() {
        return if open.id == command.run {
            Ok(vec![JobEvent::RunResumed {
                run: open.id,
                lease: command.lease,
                epoch: command.epoch,
            }])
        } else {
            Err(Refusal::WrongRun)
        };
    }
    // A run's id is its own for ever: what closed is not opened again under the same name.
    if job.run(command.run).is_some() {
        return Err(Refusal::WrongRun);
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
            judgement: None,
            landed: None,
        },
    }])
}
