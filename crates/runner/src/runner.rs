//! The work loop: claim a job, run it, report it.

use std::sync::Arc;

use dogwatch_api::{Claim, ControlPlane, HeldLease, ReleaseJob};
use dogwatch_bundle::KeyStore;
use dogwatch_core::ids::{ClaimId, JobId, MachineId};
use dogwatch_core::job::Holder;
use dogwatch_core::limits::LeaseLimits;
use dogwatch_core::{Clock, Entropy};
use dogwatch_supervisor::os::clock::boottime_ns;
use dogwatch_supervisor::{Order, ShimProgram};
use tokio::sync::{Notify, watch};

use crate::attempt::{self, Finished};
use crate::error::RunnerError;
use crate::heartbeat;
use crate::layout::DataLayout;
use crate::observe::Observer;
use crate::profile::ProfileInput;

/// What a runner is made of.
#[derive(Clone)]
pub struct RunnerParts {
    /// The control plane.
    pub plane: Arc<dyn ControlPlane>,
    /// The data directory.
    pub layout: DataLayout,
    /// This machine.
    pub machine: MachineId,
    /// This process.
    pub holder: Holder,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of ids.
    pub entropy: Arc<dyn Entropy>,
    /// How shims are started.
    pub launcher: ShimProgram,
    /// The signing key.
    pub keys: Arc<KeyStore>,
    /// The timing of leases.
    pub lease: LeaseLimits,
    /// The configuration that does not come from the project.
    pub profile: ProfileInput,
    /// The version that evidence names.
    pub version: String,
    /// Who follows.
    pub observer: Arc<dyn Observer>,
}

/// How someone outside influences a run.
#[derive(Clone, Debug)]
pub struct RunControl {
    pub(crate) orders: watch::Sender<Order>,
    pub(crate) wake: Arc<Notify>,
}

impl Default for RunControl {
    fn default() -> Self {
        Self {
            orders: watch::Sender::new(Order::GoOn),
            wake: Arc::new(Notify::new()),
        }
    }
}

impl RunControl {
    /// Makes the next heartbeat happen now, so that a cancellation is seen at once.
    pub fn look_now(&self) {
        self.wake.notify_one();
    }

    /// Ends the run's processes without a grace.
    pub fn kill(&self, reason: &str) {
        self.orders.send_replace(Order::Kill {
            reason: reason.to_owned(),
        });
    }
}

/// A runner.
pub struct Runner {
    parts: RunnerParts,
}

impl Runner {
    /// A runner.
    pub fn new(parts: RunnerParts) -> Self {
        Self { parts }
    }

    /// Claims a job and runs it to its end. `None` when the job was not there for the taking.
    pub async fn run_job(
        &self,
        job: JobId,
        control: &RunControl,
    ) -> Result<Option<Finished>, RunnerError> {
        let parts = &self.parts;
        let asked_at = boottime_ns();
        let claimed = parts
            .plane
            .claim(Claim {
                claim_id: ClaimId::mint(&*parts.clock, &*parts.entropy),
                machine: parts.machine,
                holder: Some(parts.holder.clone()),
                job: Some(job),
                max: 1,
            })
            .await?;
        let Some(claimed) = claimed.jobs.into_iter().next() else {
            return Ok(None);
        };
        let held = HeldLease {
            job: claimed.job.id,
            lease: claimed.lease.id,
            epoch: claimed.lease.epoch,
        };
        let (_heartbeat, pulse) = heartbeat::start(
            Arc::clone(&parts.plane),
            parts.machine,
            held,
            parts.lease.clone(),
            asked_at,
            control.orders.clone(),
            Arc::clone(&control.wake),
        );
        match attempt::run(parts, claimed, held, pulse, control).await {
            Ok(finished) => Ok(Some(finished)),
            Err(error) => {
                // Before a run was started the job can simply go back; afterwards only recovery may speak for it.
                let released = parts
                    .plane
                    .release(ReleaseJob {
                        held,
                        reason: "runner_error".to_owned(),
                    })
                    .await;
                if let Err(problem) = released {
                    tracing::debug!(code = problem.code, "the lease was not given back");
                }
                Err(error)
            }
        }
    }
}
