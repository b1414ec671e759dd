//! One run, from its first line to its sealed bundle.

mod approvals;
mod clean_up;
mod disk;
mod environment;
mod gates;
mod history;
mod park;
mod prepare;
mod resume;
mod seal;
mod start;
mod turns;
pub(crate) mod workshop;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use dogwatch_agents::DriverError;
use dogwatch_api::{ClaimedJob, HeldLease};
use dogwatch_bundle::BundleLayout;
use dogwatch_core::contract::{Contract, StoredContract};
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::{ApprovalId, RunId};
use dogwatch_core::job::{Assurance, GoOn, RunOutcome};
use dogwatch_core::redact::SecretSet;
use dogwatch_core::run::{Phase, RunEvent, Step, after_gates, before_turn};
use dogwatch_core::{Sha256Digest, Timestamp};
use dogwatch_supervisor::{Order, Oversight};
use dogwatch_workspace::ObjectId;
use tokio::sync::watch;

use crate::control::RunControl;
use crate::crash_point::crash_point;
use crate::ended::{Finished, Parked};
use crate::error::RunnerError;
use crate::heartbeat::Pulse;
use crate::patience::Patience;
use crate::recorder::Recorder;
use crate::runner::RunnerParts;
use park::{Next, Wait};
use prepare::{Place, Prepared};

/// How the loop of turns and gates ended.
struct Conclusion {
    outcome: RunOutcome,
    failure: Option<Failure>,
}

impl Conclusion {
    fn of(error: &RunnerError, stage: &str) -> Self {
        // A person has to do something about the machine first: the job waits for that, and is tried again when they say so.
        let outcome = match error {
            RunnerError::Containment { .. } | RunnerError::Turn(DriverError::Containment(_)) => {
                RunOutcome::Blocked
            }
            _ => RunOutcome::Failed,
        };
        Self {
            outcome,
            failure: Some(error.failure(stage)),
        }
    }
}

/// How the work on a run came to a stop.
enum Stop {
    /// There is nothing more to do.
    Concluded(Conclusion),
    /// It waits.
    Park(Wait),
}

/// What a claimed job ends in, where it does not end in an error.
pub(crate) enum End {
    /// Its run is over.
    Finished(Box<Finished>),
    /// Its run waits.
    Parked(Parked),
}

/// The lease a run has, and who influences it.
pub(crate) struct Hold<'a> {
    /// The lease.
    pub(crate) held: HeldLease,
    /// What its heartbeat says.
    pub(crate) pulse: Pulse,
    /// Who may order the run about.
    pub(crate) control: &'a RunControl,
    /// Becomes the run as soon as one is started.
    pub(crate) started: &'a mut Option<RunId>,
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
    /// How long the control plane is asked again.
    patience: Patience,
    /// What the run's agent may present to the control plane. It is written nowhere.
    token: String,
    /// The W3C `traceparent` of the job.
    trace: Option<String>,
    /// The payload of the job.
    context: Option<Sha256Digest>,
    /// The run that this one continues, and what was said about that.
    goes_on: Option<GoOn>,
    /// How long the run was parked so far: that time counts for no limit.
    parked: Duration,
    /// The approvals whose answer the agent knows.
    told: BTreeSet<ApprovalId>,
    /// How the processes of the latest turn were ended.
    kill_rung: String,
    /// What nothing that is stored may show.
    secrets: SecretSet,
    /// A value of no use that only the agent is given, so that a leak of what it is given shows.
    canary: String,
    /// Where the next shim's files go.
    shims: u32,
}

/// Runs a claimed job until its run ends or is parked.
pub(crate) async fn run(
    parts: &RunnerParts,
    claimed: ClaimedJob,
    hold: Hold<'_>,
) -> Result<End, RunnerError> {
    let contract = StoredContract::parse(&claimed.contract, claimed.job.contract)
        .map_err(|error| RunnerError::Profile(error.to_string()))?;
    let (mut attempt, prepared) = match claimed.job.open_run().cloned() {
        Some(header) => Attempt::resume(parts, &claimed, header, contract, hold).await?,
        None => {
            let (mut attempt, profile) = Attempt::start(parts, &claimed, contract, hold).await?;
            crash_point!("runner.after_start");
            let prepared = attempt.prepare(&claimed, profile).await;
            (attempt, prepared)
        }
    };
    let (prepared, stop) = match prepared {
        Ok(Place::Ready(mut prepared)) => {
            let stop = attempt.work(&mut prepared).await;
            (Some(*prepared), stop)
        }
        Ok(Place::NoRoom(low)) => (None, Ok(Stop::Park(Wait::Room(low)))),
        Err(error) => (None, Err(error)),
    };
    if attempt.pulse.is_lost() {
        return Err(RunnerError::LeaseLost);
    }
    let conclusion = match stop {
        Ok(Stop::Concluded(conclusion)) => conclusion,
        Ok(Stop::Park(wait)) => {
            return attempt.park(prepared.as_ref(), wait).await.map(End::Parked);
        }
        Err(RunnerError::LeaseLost) => return Err(RunnerError::LeaseLost),
        Err(error) => {
            let stage = attempt.recorder.state().phase.as_str();
            Conclusion::of(&error, stage)
        }
    };
    let finished = attempt.finish(prepared, conclusion).await?;
    Ok(End::Finished(Box::new(finished)))
}

/// The commit a contract starts from.
fn base(contract: &Contract) -> Result<ObjectId, RunnerError> {
    object(&contract.base_commit)
}

fn object(hex: &str) -> Result<ObjectId, RunnerError> {
    ObjectId::from_hex(hex.as_bytes()).map_err(|error| RunnerError::Profile(error.to_string()))
}

impl Attempt<'_> {
    /// Turns and gates, until there is nothing more to do here.
    async fn work(&mut self, prepared: &mut Prepared) -> Result<Stop, RunnerError> {
        let limits = self.contract.limits.clone();
        let mut step = prepared.first.clone();
        loop {
            self.receive_orders().await?;
            step = match step {
                Step::Turn { next_task } => {
                    // Orders and the wall clock may have come between the last decision and now.
                    if let Some(end) = before_turn(self.recorder.state(), &limits, self.now()) {
                        step = end;
                        continue;
                    }
                    if let Some(task) = next_task {
                        prepared.current_task = task;
                    }
                    // A run that waits before a turn is told apart by its phase from one that waits before its gates.
                    self.recorder.enter(Phase::TurnPreparing).await?;
                    if let Some(low) = self.low_disk().await? {
                        return Ok(Stop::Park(Wait::Room(low)));
                    }
                    match self.turn(prepared).await? {
                        Next::Step(step) => step,
                        Next::Park(approval) => return Ok(Stop::Park(Wait::Decision(approval))),
                    }
                }
                Step::Restart { backoff } => {
                    self.wait(backoff).await?;
                    Step::Turn { next_task: None }
                }
                Step::Gates => {
                    if let Some(low) = self.low_disk().await? {
                        return Ok(Stop::Park(Wait::Room(low)));
                    }
                    self.recorder.enter(Phase::Gates).await?;
                    let round = self.gates(prepared).await?;
                    self.receive_orders().await?;
                    after_gates(self.recorder.state(), &limits, &round, self.now())
                }
                Step::Finish { outcome, failure } => {
                    return Ok(Stop::Concluded(Conclusion { outcome, failure }));
                }
            };
        }
    }

    /// The instant that limits are measured against: time the run was parked has not passed for it.
    fn now(&self) -> Timestamp {
        let parked = i64::try_from(self.parked.as_micros()).unwrap_or(i64::MAX);
        let now = self.parts.clock.now().as_micros();
        Timestamp::from_micros(now.saturating_sub(parked))
    }

    /// Puts an order to stop on record, once.
    async fn receive_orders(&mut self) -> Result<(), RunnerError> {
        if self.pulse.is_lost() {
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
            secrets: self.secrets.clone(),
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
