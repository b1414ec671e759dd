//! One claimed job on its way through the runner.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{ClaimedJob, HeldLease, ReleaseJob};
use tokio::sync::watch;

use crate::attempt::{self, End, Hold};
use crate::control::RunControl;
use crate::ended::Ended;
use crate::error::RunnerError;
use crate::heartbeat::{Keep, LeaseTiming, Pulse};
use crate::patience::Patience;
use crate::recover;
use crate::runner::RunnerParts;

/// A claimed job.
pub(super) struct OneRun {
    pub(super) parts: Arc<RunnerParts>,
    pub(super) claimed: ClaimedJob,
    /// When it was asked for, on the boot clock.
    pub(super) asked_ns: u64,
    pub(super) timing: LeaseTiming,
    pub(super) control: RunControl,
    pub(super) drain: watch::Sender<bool>,
}

/// The right to run a claimed job.
pub(super) const fn held(claimed: &ClaimedJob) -> HeldLease {
    HeldLease {
        job: claimed.job.id,
        lease: claimed.lease.id,
        epoch: claimed.lease.epoch,
    }
}

impl OneRun {
    /// Runs the job, and keeps its lease meanwhile.
    pub(super) async fn run(self) -> Ended {
        let held = held(&self.claimed);
        let job = held.job;
        let was_parked = self.claimed.job.open_run().map(|run| run.id);
        let (_heartbeat, pulse) = Keep {
            plane: Arc::clone(&self.parts.plane),
            machine: self.parts.machine,
            held,
            timing: self.timing,
            asked_ns: self.asked_ns,
            ttl: Duration::from_millis(self.claimed.lease.ttl_ms),
            orders: self.control.orders.clone(),
            wake: Arc::clone(&self.control.wake),
            drain: self.drain,
        }
        .start();
        let mut started = None;
        let hold = Hold {
            held,
            pulse: pulse.clone(),
            control: &self.control,
            started: &mut started,
        };
        let ended = attempt::run(&self.parts, self.claimed, hold).await;
        let run = started.or(was_parked);
        match (ended, run) {
            (Ok(End::Finished(finished)), _) => Ended::Finished(finished),
            (Ok(End::Parked(parked)), _) => Ended::Parked(parked),
            (Err(RunnerError::LeaseLost), run) => Ended::LeaseLost { job, run },
            // Before a run was started the job can simply go back; afterwards only recovery may speak for it.
            (Err(error), None) => {
                tracing::warn!(%job, error = error.chain(), "the job is given back");
                release(&self.parts, held, pulse, "runner_error", error.chain()).await
            }
            (Err(error), run) => {
                tracing::error!(%job, error = error.chain(), "the run is left to recovery");
                let reason = error.chain();
                recover::abandoned(&self.parts, job).await;
                Ended::Abandoned { job, run, reason }
            }
        }
    }
}

/// Gives a job back that no run was started for.
pub(super) async fn release(
    parts: &RunnerParts,
    held: HeldLease,
    pulse: Pulse,
    code: &str,
    reason: String,
) -> Ended {
    let job = held.job;
    let request = ReleaseJob {
        held,
        reason: code.to_owned(),
    };
    let released = Patience::WhileHeld(pulse)
        .ask(|| parts.plane.release(request.clone()))
        .await;
    match released {
        Ok(_) => Ended::Released { job, reason },
        Err(RunnerError::LeaseLost) => Ended::LeaseLost { job, run: None },
        Err(error) => {
            tracing::warn!(%job, error = error.chain(), "the lease was not given back");
            Ended::Abandoned {
                job,
                run: None,
                reason,
            }
        }
    }
}
