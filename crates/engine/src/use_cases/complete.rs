//! The end of a run.

use dogwatch_api::{Caller, CleanUpRun, CompleteRun, Problem, Scope};
use dogwatch_core::job::decide::fence;
use dogwatch_core::job::{CloseRun, Job, JobCommand};
use dogwatch_store::StoreError;

use crate::Engine;
use crate::problems;

impl Engine {
    /// Closes a run and ends its lease. The journal must be here whole, and say the same.
    pub async fn complete(&self, caller: &Caller, request: CompleteRun) -> Result<Job, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let held = request.held;
        let job = self.load(held.job).await?;
        Self::allow_project(caller, job.project)?;
        // A run whose lease expired is closed too, and not by its holder.
        let reported_before = job.run(request.run).is_some_and(|run| {
            (run.lease, run.epoch) == (held.lease, held.epoch)
                && run.closed.as_ref().is_some_and(|closed| {
                    closed.outcome == request.closure.outcome
                        && closed.manifest == request.closure.manifest
                })
        });
        // Whose lease is lost is told so before anything else: its journal is not asked for any more.
        if !reported_before {
            fence(&job, held.lease, held.epoch)
                .map_err(|refusal| problems::from_store(StoreError::Refused(refusal)))?;
        }
        let view = self.run_view(request.run).await?;
        let says = view
            .state
            .ended
            .as_ref()
            .map(|ended| (ended.outcome, ended.tree.clone()));
        if says != Some((request.closure.outcome, request.closure.tree.clone())) {
            return Err(problems::conflict(
                "journal_incomplete",
                format!(
                    "the journal of {} does not end with the outcome that was reported",
                    request.run
                ),
                "send the rest of the journal first",
            ));
        }
        let command = JobCommand::Close(CloseRun {
            lease: held.lease,
            epoch: held.epoch,
            run: request.run,
            closure: request.closure,
        });
        self.carry_out(caller, job.project, held.job, command)
            .await
            .map_err(problems::from_store)
    }

    /// Records what happened to a closed run's workspace.
    pub async fn clean_up(&self, caller: &Caller, request: CleanUpRun) -> Result<Job, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let command = JobCommand::CleanUp {
            run: request.run,
            cleanup: request.cleanup,
        };
        self.command(caller, request.job, command).await
    }
}
