//! `dogwatch runner work`: taking jobs of a server and running them here.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use dogwatch_bundle::KeyStore;
use dogwatch_client::{Client, Target, Token};
use dogwatch_config::FlagValues;
use dogwatch_core::ids::MachineId;
use dogwatch_core::queue::Offer;
use dogwatch_core::{Clock, Entropy};
use dogwatch_runner::{
    MachineRecord, Mode, Runner, RunnerError, RunnerParts, Silent, Stop, Transport, WorkOptions,
};
use dogwatch_supervisor::ShimProgram;
use dogwatch_supervisor::os::clock::{SystemClock, SystemEntropy};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::relay;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{print, print_json};
use crate::server::{host_name, runner_socket_path};

/// Take jobs of a server and run them on this machine.
#[derive(Debug, Args)]
#[command(
    after_help = "The token needs the scopes `runner` and `read`: `dogwatch token create \"build-7\" --scope runner,read`.
The first Ctrl-C takes no new work and lets what runs come to its end; the second stops it now.

Examples:
  dogwatch runner work --once --server http://127.0.0.1:7373 --token-file runner.token
  dogwatch runner work --continuous --slots 2 --server https://team.example --token-file runner.token"
)]
pub(crate) struct WorkArgs {
    /// The server: a URL, or unix: and the path of its socket.
    #[arg(long, value_name = "SERVER", env = "DOGWATCH_ENDPOINT")]
    server: Target,
    /// A file with the token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Take one job at most, then end.
    #[arg(long, conflicts_with = "continuous")]
    once: bool,
    /// Go on until told to stop; this is the default.
    #[arg(long)]
    continuous: bool,
    /// How many runs at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    slots: u32,
    /// How it hears of work.
    #[arg(long, value_enum, default_value_t = TransportArg::Auto)]
    transport: TransportArg,
    /// How long one request for work waits for some, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    poll_interval: u64,
    /// Its name for people; the host's if not given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// How a runner hears of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TransportArg {
    /// From wake-ups, and by asking.
    Auto,
    /// By asking alone.
    Poll,
    /// From wake-ups alone.
    Sse,
}

impl From<TransportArg> for Transport {
    fn from(transport: TransportArg) -> Self {
        match transport {
            TransportArg::Auto => Self::Auto,
            TransportArg::Poll => Self::Poll,
            TransportArg::Sse => Self::Sse,
        }
    }
}

pub(super) async fn work(context: &Context, args: &WorkArgs) -> Result<Exit, CliError> {
    let socket = runner_socket_path(&context.layout);
    let channel = relay::open(&args.server, socket.clone()).await?;
    let parts = parts(context, args, socket)?;
    let stop = stop_on_signals()?;
    let options = WorkOptions {
        mode: if args.once {
            Mode::Once
        } else {
            Mode::Continuous
        },
        slots: args.slots,
        transport: args.transport.into(),
        poll_interval: Duration::from_secs(args.poll_interval),
    };
    let stopped = stop.clone();
    let worked = Runner::new(parts)
        .work(options, stop)
        .await
        .map_err(|error| match error {
            RunnerError::Plane(problem) => problem.into(),
            other => CliError::new("runner_error", other.chain())
                .next("mend what the message names and start the runner again"),
        })?;
    if context.json {
        print_json(&json!({ "jobs": worked.jobs, "drained": worked.drained }));
    } else {
        print(&format!("{} job(s) taken", worked.jobs));
    }
    drop(channel);
    // Ended by a person, unless that is what once means.
    let ended_by_a_person = *stopped.borrow() != Stop::GoOn;
    Ok(if ended_by_a_person {
        Exit::Stopped
    } else {
        Exit::Success
    })
}

fn parts(context: &Context, args: &WorkArgs, channel: PathBuf) -> Result<RunnerParts, CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let token = token(args)?;
    let client = Client::new(&args.server, token)
        .map_err(|error| CliError::from_error(error.code(), &error))?;
    let keys = KeyStore::open(context.layout.root()).map_err(|error| {
        CliError::from_error("signing_key", &error).next("mend it as the message says")
    })?;
    let machine = MachineRecord::read_or_mint(
        &context.places.machine_identity(),
        MachineId::mint(&*clock, &*entropy),
        clock.now(),
    )
    .map_err(|error| CliError::from_error("machine_identity", &error))?
    .machine_id;
    let program =
        std::env::current_exe().map_err(|error| CliError::from_error("own_program", &error))?;
    Ok(RunnerParts {
        plane: Arc::new(client),
        recoverer: None,
        channel: Some(channel),
        remote: true,
        layout: context.layout.clone(),
        machine,
        name: args.name.clone().unwrap_or_else(host_name),
        offer: Offer::anything(machine),
        capabilities: Vec::new(),
        // Only a server on this machine could look for the process, and this one may be anywhere.
        holder: None,
        clock,
        entropy,
        launcher: ShimProgram::new(program),
        keys: Arc::new(keys),
        profile: context.profile_input(FlagValues::default())?,
        reserve: context.disk_reserve()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        observer: Arc::new(Silent),
    })
}

fn token(args: &WorkArgs) -> Result<Token, CliError> {
    let text = match &args.token_file {
        Some(path) => fs::read_to_string(path).map_err(|error| {
            CliError::new(
                "token_unreadable",
                format!("{} cannot be read: {error}", path.display()),
            )
            .next("give the file that has the secret `dogwatch token create` printed")
        })?,
        None => std::env::var("DOGWATCH_TOKEN").map_err(|_| {
            CliError::new("unauthenticated", "no token is given")
                .exiting(Exit::Refused)
                .next("give --token-file, or set DOGWATCH_TOKEN")
        })?,
    };
    Token::new(&text).map_err(|error| CliError::from_error(error.code(), &error))
}

/// The first signal drains, the second stops now.
fn stop_on_signals() -> Result<watch::Receiver<Stop>, CliError> {
    let failed = |error: std::io::Error| CliError::new("signals", error.to_string());
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let (sender, receiver) = watch::channel(Stop::GoOn);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            sender.send_modify(|stop| {
                *stop = match *stop {
                    Stop::GoOn => Stop::Drain,
                    Stop::Drain | Stop::Now => Stop::Now,
                };
            });
        }
    });
    Ok(receiver)
}
