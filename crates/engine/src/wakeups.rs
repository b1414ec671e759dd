//! Wake-ups of one runner, made from hints.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dogwatch_api::{Caller, Problem, Scope, Wakeup, Wakeups};
use dogwatch_core::ids::{JobId, MachineId};
use dogwatch_core::job::JobState;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, timeout_at};

use crate::Engine;
use crate::hints::Hint;

/// How long nothing may come before that is said.
const SILENCE: Duration = Duration::from_secs(25);

struct RunnerWakeups {
    engine: Arc<Engine>,
    caller: Caller,
    machine: MachineId,
    hints: Receiver<Hint>,
    opened: bool,
}

impl Engine {
    /// What wakes a runner before its next poll.
    pub async fn wakeups(
        self: &Arc<Self>,
        caller: &Caller,
        machine: MachineId,
    ) -> Result<Box<dyn Wakeups>, Problem> {
        Self::allow(caller, Scope::Runner)?;
        Ok(Box::new(RunnerWakeups {
            hints: self.hints(),
            engine: Arc::clone(self),
            caller: caller.clone(),
            machine,
            opened: false,
        }))
    }
}

impl RunnerWakeups {
    /// Whether the machine has the job. Where that cannot be told, a heartbeat too many does no harm.
    async fn has(&self, job: JobId) -> bool {
        match self.engine.store.job(job).await {
            Ok(Some(job)) => {
                let parked_here = matches!(job.state, JobState::Parked { machine, .. } if machine == self.machine);
                let leased_here = job
                    .active_lease()
                    .is_some_and(|lease| lease.machine == self.machine);
                self.caller.may_see(job.project) && (parked_here || leased_here)
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }
}

#[async_trait]
impl Wakeups for RunnerWakeups {
    async fn next(&mut self) -> Option<Wakeup> {
        if !self.opened {
            self.opened = true;
            return Some(Wakeup::Ready);
        }
        let silent_until = Instant::now() + SILENCE;
        loop {
            match timeout_at(silent_until, self.hints.recv()).await {
                Err(_) => return Some(Wakeup::Timeout),
                Ok(Ok(Hint::JobAvailable) | Err(RecvError::Lagged(_))) => {
                    return Some(Wakeup::JobAvailable);
                }
                Ok(Ok(Hint::Cancel(job))) if self.has(job).await => {
                    return Some(Wakeup::Cancel { job });
                }
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Closed)) => return None,
            }
        }
    }
}
