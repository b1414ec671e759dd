//! Giving a job back.

use dogwatch_api::{Caller, Problem, ReleaseJob, Scope};
use dogwatch_core::job::{Job, JobCommand, ReleaseLease};

use crate::Engine;
use crate::texts::fit;

impl Engine {
    /// Gives a job back before a run was started.
    pub async fn release(&self, caller: &Caller, request: ReleaseJob) -> Result<Job, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let command = JobCommand::Release(ReleaseLease {
            lease: request.held.lease,
            epoch: request.held.epoch,
            reason: fit(&request.reason, 300),
        });
        self.command(caller, request.held.job, command).await
    }
}
