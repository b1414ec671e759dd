//! One run, from its first line to its sealed bundle.

mod clean_up;
mod gates;
mod prepare;
mod seal;
mod turns;

use std::path::PathBuf;

use dogwatch_api::{ClaimedJob, HeldLease};
use dogwatch_bundle::BundleLayout;
use dogwatch_core::Sha256Digest;
use dogwatch_core::contract::{Contract, StoredContract};
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{Assurance, CleanupState, JobStatus, RunOutcome};
use dogwatch_core::run::{GateFinished, Phase, RunEvent, Step, after_gates, before_turn};
use dogwatch_supervisor::{Order, Oversight};
use tokio::sync::watch;

use crate::crash_point::crash_point;
use crate::error::RunnerError;
use crate::heartbeat::Pulse;
use crate::recorder::Recorder;
use crate::runner::{RunControl, RunnerParts};
use prepare::Prepared;

/// A run that ended, for whoever asked for it.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The job.
    pub job: JobId,
    /// Where it stands now.
    pub status: JobStatus,
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why, for everything but a success.
    pub failure: Option<Failure>,
    /// What stands behind a success.
    pub assurance: Assurance,
    /// The tree T.
    pub tree: Option<String>,
    /// Its turns.
    pub turns: u32,
    /// The gates of the last round.
    pub gates: Vec<GateFinished>,
    /// Where its bundle is.
    pub bundle: PathBuf,
    /// The digest of the bundle's manifest.
    pub manifest: Sha256Digest,
    /// What happened to its workspace.
    pub cleanup: CleanupState,
}

/// How the loop of turns and gates ended.
struct Conclusion {
    outcome: RunOutcome,
    failure: Option<Failure>,
}

impl Conclusion {
    fn of(error: &RunnerError, stage: &str) -> Self {
        Self {
            outcome: RunOutcome::Failed,
            failure: Some(error.failure(stage)),
        }
    }
}

/// What the parts of an attempt share.
struct Attempt<'a> {
    parts: &'a RunnerParts,
    contract: Contract,
    held: HeldLease,
    run: RunId,
    number: u32,
    bundle: BundleLayout,
    recorder: Recorder,
    orders: watch::Receiver<Order>,
    pulse: Pulse,
    /// How the processes of the latest turn were ended.
    kill_rung: String,
    /// Where the next shim's files go.
    shims: u32,
}

/// Runs a claimed job to the end of one run.
pub(crate) async fn run(
    parts: &RunnerParts,
    claimed: ClaimedJob,
    held: HeldLease,
    pulse: Pulse,
    control: &RunControl,
) -> Result<Finished, RunnerError> {
    let contract = StoredContract::parse(&claimed.contract, claimed.job.contract)
        .map_err(|error| RunnerError::Profile(error.to_string()))?;
    let (mut attempt, profile) =
        Attempt::start(parts, &claimed, contract, held, pulse, control).await?;
    crash_point!("runner.after_start");
    let (prepared, conclusion) = match attempt.prepare(&claimed, profile).await {
        Ok(mut prepared) => {
            let conclusion = attempt.work(&mut prepared).await;
            (Some(prepared), conclusion)
        }
        Err(error) => (None, Err(error)),
    };
    if *attempt.pulse.lost.borrow() {
        return Err(RunnerError::LeaseLost);
    }
    let conclusion = match conclusion {
        Ok(conclusion) => conclusion,
        Err(RunnerError::LeaseLost) => return Err(RunnerError::LeaseLost),
        Err(error) => {
            let stage = attempt.recorder.state().phase.as_str();
            Conclusion::of(&error, stage)
        }
    };
    attempt.finish(prepared, conclusion).await
}

impl Attempt<'_> {
    /// Turns and gates, until there is nothing more to do.
    async fn work(&mut self, prepared: &mut Prepared) -> Result<Conclusion, RunnerError> {
        let limits = self.contract.limits.clone();
        let mut step = Step::Turn { next_task: None };
        loop {
            self.receive_orders().await?;
            step = match step {
                Step::Turn { next_task } => {
                    // Orders and the wall clock may have come between the last decision and now.
                    if let Some(end) =
                        before_turn(self.recorder.state(), &limits, self.parts.clock.now())
                    {
                        step = end;
                        continue;
                    }
                    if let Some(task) = next_task {
                        prepared.current_task = task;
                    }
                    self.turn(prepared).await?
                }
                Step::Restart { backoff } => {
                    self.wait(backoff).await?;
                    Step::Turn { next_task: None }
                }
                Step::Gates => {
                    self.recorder.enter(Phase::Gates).await?;
                    let round = self.gates(prepared).await?;
                    self.receive_orders().await?;
                    after_gates(
                        self.recorder.state(),
                        &limits,
                        &round,
                        self.parts.clock.now(),
                    )
                }
                Step::Finish { outcome, failure } => {
                    return Ok(Conclusion { outcome, failure });
                }
            };
        }
    }

    /// Puts an order to stop on record, once.
    async fn receive_orders(&mut self) -> Result<(), RunnerError> {
        if *self.pulse.lost.borrow() {
            return Err(RunnerError::LeaseLost);
        }
        let reason = match &*self.orders.borrow() {
            Order::GoOn => return Ok(()),
            Order::Stop { reason } | Order::Kill { reason } => reason.clone(),
        };
        if self.recorder.state().cancel.is_none() {
            self.recorder
                .record(RunEvent::CancelReceived {
                    reason: dogwatch_core::failure::clip(&reason, 300),
                })
                .await?;
        }
        Ok(())
    }

    /// Waits, but not longer than until someone wants the run to stop.
    async fn wait(&mut self, time: std::time::Duration) -> Result<(), RunnerError> {
        let stop = self.orders.wait_for(|order| *order != Order::GoOn);
        let _ = tokio::time::timeout(time, stop).await;
        self.receive_orders().await
    }

    /// What a shim of this run obeys and reports to.
    fn oversight(&self, progress: watch::Sender<dogwatch_supervisor::Progress>) -> Oversight {
        Oversight {
            orders: self.orders.clone(),
            deadline: self.pulse.deadline.clone(),
            progress,
        }
    }

    /// A fresh directory for a shim's own files.
    fn next_shim(&mut self) -> PathBuf {
        self.shims += 1;
        self.parts
            .layout
            .shims(self.run)
            .join(format!("{:03}", self.shims))
    }

    /// What stands behind the result.
    fn assurance(&self, outcome: RunOutcome) -> Assurance {
        let proven = outcome == RunOutcome::Succeeded
            && self.recorder.state().gates.iter().any(|gate| {
                gate.acceptance
                    && gate.must_pass
                    && gate.result == dogwatch_core::run::GateResult::Passed
            });
        if proven {
            Assurance::Gates
        } else {
            Assurance::None
        }
    }
}

/// The failure of a run that ended without anybody saying why.
fn unexplained() -> Failure {
    Failure::new(
        FailureClass::Infrastructure,
        "unexplained",
        "sealing",
        "the run ended without a reason",
        "look at its bundle",
    )
}
