//! Calling a job off.

use dogwatch_api::{Caller, Problem, Scope};
use dogwatch_core::job::{self, Job, JobCommand};

use crate::Engine;
use crate::texts::fit;

impl Engine {
    /// Cancels a job that waits at once; one that runs is told to stop at its runner's next heartbeat.
    pub async fn cancel(
        &self,
        caller: &Caller,
        request: dogwatch_api::CancelJob,
    ) -> Result<Job, Problem> {
        Self::allow(caller, Scope::Operate)?;
        let command = JobCommand::Cancel(job::CancelJob {
            reason: fit(&request.reason, 300),
        });
        self.command(caller, request.job, command).await
    }
}
