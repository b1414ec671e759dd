//! Setting a run aside.

use dogwatch_api::{Caller, ParkRun, Problem, Scope};
use dogwatch_core::job::{self, Job, JobCommand};

use crate::Engine;

impl Engine {
    /// Parks a run until what it waits for is there, and ends its lease. Repeating it changes nothing.
    pub async fn park(&self, caller: &Caller, request: ParkRun) -> Result<Job, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let command = JobCommand::Park(job::ParkRun {
            lease: request.held.lease,
            epoch: request.held.epoch,
            run: request.run,
            reason: request.reason,
            until: request.until,
            approval: request.approval,
        });
        self.command(caller, request.held.job, command).await
    }
}
