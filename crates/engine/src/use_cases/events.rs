//! Mirroring a run's journal.

use dogwatch_api::{AppendEvents, Appended, Caller, HeldLease, Problem, Scope};
use dogwatch_core::ids::RunId;
use dogwatch_core::job::{Job, Refusal, decide::fence};
use dogwatch_store::{Decision, RunLog, Side};

use crate::Engine;
use crate::hints::Hint;
use crate::problems;

impl Engine {
    /// Stores journal lines byte for byte. Lines that are stored already are skipped; a different line is a fork.
    pub async fn append_events(
        &self,
        caller: &Caller,
        request: AppendEvents,
    ) -> Result<Appended, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let held = request.held;
        let project = self.load(held.job).await?.project;
        Self::allow_project(caller, project)?;
        let lines = request
            .lines
            .last()
            .and_then(|line| RunLog::claimed_seq(line))
            .unwrap_or(0);
        let run = request.run;
        let update = Self::update(
            caller,
            project,
            None,
            Side::RunLines {
                run,
                lines: request.lines,
            },
            Box::new(move |stream, _now| {
                let job = stream.job.as_ref().ok_or(Refusal::NoSuchJob)?;
                writes_for(job, held, run)?;
                Ok(Decision::default())
            }),
        );
        self.commit(held.job, update)
            .await
            .map_err(problems::from_store)?;
        self.hints.send(Hint::RunLines(run));
        Ok(Appended { lines })
    }
}

/// The holder of the lease may write for this run: it is the one that is open.
pub(super) fn writes_for(job: &Job, held: HeldLease, run: RunId) -> Result<(), Refusal> {
    fence(job, held.lease, held.epoch)?;
    match job.open_run() {
        Some(open) if open.id == run => Ok(()),
        Some(_) | None => Err(Refusal::WrongRun),
    }
}
