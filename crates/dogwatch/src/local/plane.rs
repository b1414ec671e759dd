//! Opening the control plane in this process, and driving one job through it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dogwatch_api::{Caller, CancelJob, ControlPlane, Scope};
use dogwatch_bundle::KeyStore;
use dogwatch_config::FlagValues;
use dogwatch_core::event::Via;
use dogwatch_core::ids::{JobId, MachineId};
use dogwatch_core::job::{Holder, JobState, JobStatus};
use dogwatch_core::limits::LeaseLimits;
use dogwatch_core::{Clock, Entropy};
use dogwatch_engine::{Engine, InProcess};
use dogwatch_policy::AllowAll;
use dogwatch_runner::{
    Finished, MachineRecord, Observer, Recovery, RunControl, Runner, RunnerError, RunnerParts,
    recover,
};
use dogwatch_store::Reads;
use dogwatch_store_sqlite::SqliteStore;
use dogwatch_supervisor::os::clock::{SystemClock, SystemEntropy};
use dogwatch_supervisor::{ProcessIdentity, ShimProgram};
use tokio::signal::unix::{SignalKind, signal};

use super::lock::Lock;
use crate::context::Context;
use crate::error::CliError;

/// The control plane in this process.
pub(crate) struct Local {
    /// The control plane as the user at the command line sees it.
    pub(crate) user: InProcess,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// What was found and mended when it was opened.
    pub(crate) recovery: Recovery,
    parts: RunnerParts,
    _lock: Lock,
}

impl Local {
    /// Opens the control plane and mends what a dead process left behind.
    pub(crate) async fn open(
        context: &Context,
        lock: Lock,
        flags: FlagValues,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, CliError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let layout = context.layout.clone();
        let store = SqliteStore::open(&layout.database(), clock.clone(), entropy.clone()).map_err(
            |error| {
                CliError::from_error("store_unreadable", &error)
                    .next("keep a copy of the data directory, then run `dogwatch doctor`")
            },
        )?;
        let store = Arc::new(store);
        let keys = KeyStore::open(layout.root()).map_err(|error| {
            CliError::from_error("signing_key", &error).next("mend it as the message says")
        })?;
        let machine = MachineRecord::read_or_mint(
            &context.places.machine_identity(),
            MachineId::mint(&*clock, &*entropy),
            clock.now(),
        )
        .map_err(|error| CliError::from_error("machine_identity", &error))?
        .machine_id;
        let lease = LeaseLimits::default();
        let engine = Arc::new(Engine::new(
            store.clone(),
            Arc::new(AllowAll),
            clock.clone(),
            entropy.clone(),
            &lease,
        ));
        let program = std::env::current_exe().map_err(|error| {
            CliError::new(
                "own_program",
                format!("dogwatch cannot find its own program: {error}"),
            )
        })?;
        let runner_plane: Arc<dyn ControlPlane> = Arc::new(InProcess::new(
            engine.clone(),
            Caller::local_runner(format!("runner:{machine}")),
        ));
        let parts = RunnerParts {
            plane: runner_plane,
            layout,
            machine,
            holder: holder()?,
            clock: clock.clone(),
            entropy: entropy.clone(),
            launcher: ShimProgram::new(program),
            keys: Arc::new(keys),
            lease,
            profile: context.profile_input(flags)?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            observer,
        };
        let leases = store
            .active_leases()
            .await
            .map_err(|error| CliError::from_error(error.code(), &error))?;
        let recovering = RunnerParts {
            plane: Arc::new(InProcess::new(engine.clone(), recoverer())),
            ..parts.clone()
        };
        let recovery = recover(&recovering, leases).await.map_err(|error| {
            CliError::new("recovery", error.chain())
                .next("nothing was lost; mend what the message names and run the command again")
        })?;
        Ok(Self {
            user: InProcess::new(engine, Caller::local_user(principal())),
            clock,
            recovery,
            parts,
            _lock: lock,
        })
    }

    /// Runs a job in this process, to its end.
    async fn run_job(
        &self,
        job: JobId,
        control: &RunControl,
    ) -> Result<Option<Finished>, RunnerError> {
        Runner::new(self.parts.clone()).run_job(job, control).await
    }
}

/// The part of the control plane that speaks for dead runners.
fn recoverer() -> Caller {
    Caller {
        scopes: BTreeSet::from([Scope::Read, Scope::Runner, Scope::Admin]),
        via: Via::System,
        ..Caller::system()
    }
}

fn holder() -> Result<Holder, CliError> {
    let identity =
        ProcessIdentity::of_self().map_err(|error| CliError::from_error("own_process", &error))?;
    Ok(Holder {
        boot_id: identity.boot_id,
        pid: identity.pid,
        start_time: identity.start_time,
    })
}

fn principal() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective())
        .ok()
        .flatten()
        .map(|user| user.name);
    format!(
        "user:{}",
        user.unwrap_or_else(|| nix::unistd::Uid::effective().to_string())
    )
}

/// How a job went that was driven here.
pub(crate) enum Driven {
    /// Its last run ended so.
    Finished(Box<Finished>),
    /// It was over before a run could start.
    NotRun(JobStatus),
}

/// Drives a job until it is over: through its retries, and with Ctrl-C once to cancel it, twice to kill its processes.
pub(crate) async fn drive(local: &Local, job: JobId) -> Result<Driven, CliError> {
    let control = RunControl::default();
    let interrupts = tokio::spawn(obey_interrupts(local.user.clone(), job, control.clone()));
    let driven = drive_attempts(local, job, &control).await;
    interrupts.abort();
    driven
}

async fn drive_attempts(
    local: &Local,
    job: JobId,
    control: &RunControl,
) -> Result<Driven, CliError> {
    loop {
        let finished = local.run_job(job, control).await.map_err(|error| {
            CliError::new("run_error", error.chain())
                .next("nothing was lost: the next `dogwatch jobs retry` recovers and goes on")
        })?;
        let Some(finished) = finished else {
            let status = local.user.job(job).await?.state.status();
            return Ok(Driven::NotRun(status));
        };
        let now = local.user.job(job).await?.state;
        let more = match &now {
            JobState::Queued { not_before, .. } => {
                let wait = not_before.map_or(Duration::ZERO, |at| at.since(local.clock.now()));
                wait_for_attempt(local, job, wait).await?
            }
            _ => false,
        };
        if !more {
            // Since the run was reported the job may have been called off.
            let status = local.user.job(job).await?.state.status();
            return Ok(Driven::Finished(Box::new(Finished { status, ..finished })));
        }
    }
}

/// Waits until a job may be tried again; false when it was called off meanwhile.
async fn wait_for_attempt(local: &Local, job: JobId, wait: Duration) -> Result<bool, CliError> {
    let until = tokio::time::Instant::now() + wait;
    loop {
        if local.user.job(job).await?.state.status() != JobStatus::Queued {
            return Ok(false);
        }
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return Ok(true);
        }
        tokio::time::sleep(left.min(Duration::from_millis(200))).await;
    }
}

/// Ctrl-C, a terminated process and a closed terminal mean the same: cancel and wait. The second time kills.
async fn obey_interrupts(user: InProcess, job: JobId, control: RunControl) {
    let Ok(mut signals) = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ]
    .map(signal)
    .into_iter()
    .collect::<Result<Vec<_>, _>>() else {
        return eprint_line("signals cannot be received here: Ctrl-C ends dogwatch at once");
    };
    let mut first = true;
    loop {
        std::future::poll_fn(|context| {
            let received = signals
                .iter_mut()
                .any(|signal| signal.poll_recv(context).is_ready());
            if received {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        if first {
            let request = CancelJob {
                job,
                reason: "interrupted at the terminal".to_owned(),
            };
            if let Err(problem) = user.cancel(request).await {
                CliError::from(problem).print(false);
            }
            eprint_line("cancelling; press Ctrl-C again to kill its processes at once");
            control.look_now();
            first = false;
        } else {
            control.kill("interrupted twice at the terminal");
        }
    }
}

fn eprint_line(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
