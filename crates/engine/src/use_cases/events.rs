//! Mirroring a run's journal.

use dogwatch_api::{AppendEvents, Appended, Caller, Problem, Scope};
use dogwatch_core::job::{Refusal, decide::fence};
use dogwatch_store::{Decision, RunLog, Side};

use crate::Engine;
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
                fence(job, held.lease, held.epoch)?;
                match job.open_run() {
                    Some(open) if open.id == run => Ok(Decision::default()),
                    Some(_) | None => Err(Refusal::WrongRun),
                }
            }),
        );
        self.store
            .update(held.job, update)
            .await
            .map_err(problems::from_store)?;
        Ok(Appended { lines })
    }
}
