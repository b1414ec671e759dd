//! The end of a run.

use dogwatch_api::{Caller, CleanUpRun, CompleteRun, Problem, Scope};
use dogwatch_core::job::{self, CloseRun, Job, JobCommand};
use dogwatch_store::{Decision, Side};

use crate::Engine;
use crate::problems;

impl Engine {
    /// Closes a run and ends its lease. The journal must be here whole, and say the same.
    pub async fn complete(&self, caller: &Caller, request: CompleteRun) -> Result<Job, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let view = self
            .store
            .run(request.run)
            .await
            .map_err(problems::from_store)?
            .ok_or_else(|| problems::not_found("run_not_found", "such run"))?;
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
            lease: request.held.lease,
            epoch: request.held.epoch,
            run: request.run,
            closure: request.closure,
        });
        self.command(caller, request.held.job, command).await
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

    /// Carries out a command that needs nothing beside the job stream.
    pub(crate) async fn command(
        &self,
        caller: &Caller,
        id: dogwatch_core::ids::JobId,
        command: JobCommand,
    ) -> Result<Job, Problem> {
        let project = self.load(id).await?.project;
        Self::allow_project(caller, project)?;
        let update = Self::update(
            caller,
            project,
            None,
            Side::Nothing,
            Box::new(move |stream, now| job::decide(stream, &command, now).map(Decision::events)),
        );
        let updated = self
            .store
            .update(id, update)
            .await
            .map_err(problems::from_store)?;
        updated
            .stream
            .job
            .ok_or_else(|| problems::not_found("job_not_found", "such job"))
    }
}
