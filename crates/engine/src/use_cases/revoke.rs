//! Taking a lease from a holder that is known to be dead.

use dogwatch_api::{Caller, Problem, Recovered, RevokeLease, Scope};
use dogwatch_core::job::{self, JobCommand};

use crate::Engine;
use crate::texts::fit;

impl Engine {
    /// Ends a lease, closes its open run as orphaned, and queues the job again.
    pub async fn revoke(
        &self,
        caller: &Caller,
        request: RevokeLease,
    ) -> Result<Recovered, Problem> {
        Self::allow(caller, Scope::Admin)?;
        let command = JobCommand::Revoke(job::RevokeLease {
            lease: request.lease,
            closure: request.closure,
            reason: fit(&request.reason, 300),
        });
        let job = self.command(caller, request.job, command).await?;
        Ok(Recovered {
            status: job.state.status(),
        })
    }
}
