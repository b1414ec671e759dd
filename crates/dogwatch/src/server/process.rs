//! The life of a server: lock, open, recover, listen, work, and the way out.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dogwatch_runner::{Mode, Runner, RunnerParts, Stop, Transport, WorkOptions, recover};
use dogwatch_server::{
    AllowedHosts, EngineDoor, Limits, Listen, ListenError, Listening, Metrics, Parts, Server,
};
use dogwatch_store::Reads;
use dogwatch_supervisor::ProcessIdentity;
use tokio::sync::{oneshot, watch};

use super::endpoint::{Endpoint, agent_socket_path, logs_directory, socket_path};
use super::idle::nothing_to_do;
use super::lock::Lock;
use super::open::{Opened, open, secret_bytes};
use super::recovery::{Announcement, RecoveredJob};
use super::shutdown::{Urgency, urgency};
use super::sweep::sweep;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::oplog;
use crate::output::{print, say};

/// The version of the endpoint file.
const ENDPOINT_SCHEMA: u32 = 1;

/// How many runs the machine of a server does at once.
const SLOTS: u32 = 4;

/// Who is told that the server is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announce {
    /// The command that started it, in one line on the pipe that is standard output.
    Starter,
    /// A person at a terminal.
    Person,
}

/// How a server is to be.
#[derive(Clone, Debug)]
pub(crate) struct ServeOptions {
    /// How long it stays when nothing is left to do; for ever if not given.
    pub(crate) idle: Option<Duration>,
    /// Where it listens apart from its socket.
    pub(crate) listen: Option<SocketAddr>,
    /// Whether that may be an address other machines can reach.
    pub(crate) allow_remote: bool,
    /// The names it goes by, apart from loopback.
    pub(crate) hosts: Vec<String>,
    /// How many runs it does at once itself; 0 leaves all of them to other runners.
    pub(crate) slots: Option<u32>,
    /// Who is told.
    pub(crate) announce: Announce,
}

/// Serves until it is told to end, or nothing is left to do.
pub(crate) fn serve(context: &Context, options: &ServeOptions) -> Result<Exit, CliError> {
    let lock = Lock::take(&context.layout)?;
    let logs = oplog::start(&logs_directory(&context.layout), oplog::Options::default())
        .map_err(|error| CliError::from_error("logs", &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new("runtime", error.to_string()))?;
    let served = runtime.block_on(serve_locked(context, options));
    // What blocks in a thread must not keep the lock for ever.
    runtime.shutdown_timeout(Duration::from_secs(5));
    if let Err(error) = logs.finish() {
        say(&format!("warning: {error}"));
    }
    drop(lock);
    served
}

async fn serve_locked(context: &Context, options: &ServeOptions) -> Result<Exit, CliError> {
    let mut urgent = urgency().map_err(|error| CliError::new("signals", error.to_string()))?;
    let identity =
        ProcessIdentity::of_self().map_err(|error| CliError::from_error("own_process", &error))?;
    let secret = hex(&secret_bytes().map_err(|error| CliError::from_error("entropy", &error))?);
    let socket = socket_path(&context.layout);
    let agent_socket = agent_socket_path(&context.layout);
    let opened = open(context, &identity, &secret, agent_socket.clone()).await?;
    let recovered = recover_dead(&opened).await?;
    let (server, agents) = bind(&opened, &socket, agent_socket, options).await?;
    let activity = server.activity();
    let endpoint = Endpoint {
        schema_version: ENDPOINT_SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot_id: identity.boot_id,
        pid: identity.pid,
        start_time: identity.start_time,
        since: opened.clock.now(),
        socket,
        url: url(&server),
        token: secret,
        idle_exit: options.idle.is_some(),
    };
    opened.engine.record_start(&endpoint.version).await?;

    let (stop_work, work_stopped) = watch::channel(Stop::GoOn);
    let (close, closed) = oneshot::channel::<()>();
    let (close_agents, agents_closed) = oneshot::channel::<()>();
    let http = tokio::spawn(server.run(async {
        let _ = closed.await;
    }));
    let for_agents = tokio::spawn(agents.run(async {
        let _ = agents_closed.await;
    }));
    endpoint.publish(&context.layout)?;
    announce(options.announce, &endpoint, recovered);
    tracing::info!(
        lane = "runtime",
        event = "server.ready",
        pid = endpoint.pid,
        version = endpoint.version
    );
    let sweeping = tokio::spawn(sweep(
        opened.engine.clone(),
        Duration::from_millis(opened.limits.lease_sweep_ms),
    ));
    let working = tokio::spawn(work(
        opened.runner.clone(),
        options.slots.unwrap_or(SLOTS),
        work_stopped,
    ));

    let reason = tokio::select! {
        _ = urgent.wait_for(|urgency| *urgency > Urgency::Stay) => "signal",
        () = idle(&opened, &activity, options.idle) => "idle",
    };
    tracing::info!(lane = "runtime", event = "server.draining", reason);
    if options.announce == Announce::Person {
        say("draining: what runs comes to its end first; again (Ctrl-C) stops it now");
    }
    opened.engine.drain(true);
    stop_work.send_replace(Stop::Drain);
    let mut working = working;
    tokio::select! {
        _ = &mut working => {}
        _ = urgent.wait_for(|urgency| *urgency == Urgency::Now) => {
            stop_work.send_replace(Stop::Now);
            let _ = working.await;
        }
    }
    Endpoint::withdraw(&context.layout);
    let _ = (close.send(()), close_agents.send(()));
    let _ = (http.await, for_agents.await);
    sweeping.abort();
    if let Err(problem) = opened.engine.record_stop(reason).await {
        tracing::warn!(lane = "runtime", event = "server.stop_unrecorded", %problem);
    }
    Ok(Exit::Success)
}

/// Ends what dead holders on this machine left behind, before anything new starts.
async fn recover_dead(opened: &Opened) -> Result<Vec<RecoveredJob>, CliError> {
    let leases = opened
        .store
        .active_leases()
        .await
        .map_err(|error| CliError::from_error(error.code(), &error))?;
    let mut recovering = opened.runner.clone();
    if let Some(plane) = recovering.recoverer.clone() {
        recovering.plane = plane;
    }
    let recovery = recover(&recovering, leases).await.map_err(|error| {
        CliError::new("recovery", error.chain())
            .next("nothing was lost; mend what the message names and run the command again")
    })?;
    Ok(RecoveredJob::all(&recovery))
}

async fn bind(
    opened: &Opened,
    socket: &Path,
    agent_socket: PathBuf,
    options: &ServeOptions,
) -> Result<(Server, Server), CliError> {
    let mut places = vec![Listen::Unix(socket.to_owned())];
    places.extend(options.listen.map(|address| Listen::Tcp {
        address,
        allow_remote: options.allow_remote,
    }));
    let door = Arc::new(EngineDoor::new(opened.engine.clone()));
    let parts = Parts {
        planes: door.clone(),
        tokens: door.clone(),
        readiness: door,
        clock: opened.clock.clone(),
        entropy: opened.entropy.clone(),
        limits: Limits::default(),
        hosts: AllowedHosts::new(&options.hosts),
        metrics: Metrics::new(env!("CARGO_PKG_VERSION")),
        extra: None,
    };
    let failed = |error: ListenError| {
        CliError::from_error("listen", &error)
            .next("choose another address with --listen, or end what uses this one")
    };
    let server = Server::bind(parts.clone(), &places).await.map_err(failed)?;
    let agents = Server::bind_for_agents(parts, agent_socket)
        .await
        .map_err(failed)?;
    Ok((server, agents))
}

/// The runner of this machine. Without slots there is none, and jobs wait for other runners.
async fn work(parts: RunnerParts, slots: u32, stop: watch::Receiver<Stop>) {
    if slots == 0 {
        return;
    }
    let options = WorkOptions {
        mode: Mode::Continuous,
        slots,
        transport: Transport::Auto,
        ..WorkOptions::default()
    };
    if let Err(error) = Runner::new(parts).work(options, stop).await {
        tracing::error!(
            lane = "runtime",
            event = "runner.ended",
            error = error.chain(),
            "the runner of this machine ended"
        );
    }
}

async fn idle(opened: &Opened, activity: &dogwatch_server::Activity, after: Option<Duration>) {
    match after {
        Some(after) => nothing_to_do(&*opened.store, activity, after).await,
        None => std::future::pending().await,
    }
}

fn url(server: &Server) -> Option<String> {
    server
        .listening()
        .into_iter()
        .find_map(|place| match place {
            Listening::Tcp(address) => Some(format!("http://{address}")),
            Listening::Unix(_) => None,
        })
}

fn announce(to: Announce, endpoint: &Endpoint, recovered: Vec<RecoveredJob>) {
    match to {
        Announce::Starter => announce_line(&Announcement::Ready { recovered }),
        Announce::Person => {
            for job in &recovered {
                say(&job.sentence());
            }
            print(&format!(
                "dogwatch {} is up (pid {})\n  socket  {}",
                endpoint.version,
                endpoint.pid,
                endpoint.socket.display()
            ));
            if let Some(url) = &endpoint.url {
                print(&format!("  url     {url}"));
            }
        }
    }
}

/// Says it to the starting command, which reads one line and goes.
pub(crate) fn announce_line(announcement: &Announcement) {
    let line = serde_json::to_string(announcement).unwrap_or_default();
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
