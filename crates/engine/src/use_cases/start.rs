//! Starting a run under a lease.

use dogwatch_api::{Caller, Problem, Scope, StartRun, Started};
use dogwatch_core::job::{self, JobCommand};
use dogwatch_store::{Decision, Side};

use crate::Engine;
use crate::problems;

impl Engine {
    /// Creates a run. Repeating the call returns the same run.
    pub async fn start(&self, caller: &Caller, request: StartRun) -> Result<Started, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let project = self.load(request.held.job).await?.project;
        let run = request.run;
        let command = JobCommand::Start(job::StartRun {
            lease: request.held.lease,
            epoch: request.held.epoch,
            run,
            session: request.session,
            continues: request.continues,
            start_from: request.start_from,
        });
        let update = Self::update(
            caller,
            project,
            None,
            Side::Nothing,
            Box::new(move |stream, now| job::decide(stream, &command, now).map(Decision::events)),
        );
        let updated = self
            .store
            .update(request.held.job, update)
            .await
            .map_err(problems::from_store)?;
        updated
            .stream
            .job
            .and_then(|job| job.run(run).cloned())
            .map(|run| Started { run })
            .ok_or_else(|| problems::not_found("run_not_found", "such run"))
    }
}
