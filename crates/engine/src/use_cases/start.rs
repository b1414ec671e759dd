//! Starting a run under a lease.

use dogwatch_api::{Caller, LeaseClaim, Problem, Scope, StartRun, Started};
use dogwatch_core::job::{self, JobCommand};

use crate::Engine;
use crate::problems;

impl Engine {
    /// Creates a run, or resumes the one that was parked. Repeating the call returns the same run and the same token.
    pub async fn start(&self, caller: &Caller, request: StartRun) -> Result<Started, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let held = request.held;
        let command = JobCommand::Start(job::StartRun {
            lease: held.lease,
            epoch: held.epoch,
            run: request.run,
            session: request.session,
            continues: request.continues,
            start_from: request.start_from,
        });
        let job = self.command(caller, held.job, command).await?;
        let run = job
            .run(request.run)
            .cloned()
            .ok_or_else(|| problems::not_found("run_not_found", "such run"))?;
        let token = self.token_key.token(&LeaseClaim {
            job: held.job,
            run: run.id,
            lease: held.lease,
            epoch: held.epoch,
        });
        Ok(Started { run, token })
    }
}
