//! `dogwatch up`, `down`, `status`, and the server that a command starts by itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use dogwatch_api::{ControlPlane, ListApprovals, ListJobs};
use dogwatch_core::job::JobStatus;
use serde_json::json;

use crate::connect::{block_on, connect_living, start_to_stay};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{print, print_json, say};
use crate::server::{Announce, Announcement, Endpoint, ServeOptions, announce_line, serve};

/// How long a server that a command started stays when nothing is left to do.
const IDLE: Duration = Duration::from_secs(60);

/// For tests: the same in milliseconds.
const IDLE_MS: &str = "DOGWATCH_IDLE_MS";

/// Start the server of this data directory and let it stay.
#[derive(Debug, Args)]
#[command(
    after_help = "Every command that needs the server starts it; that one goes after a minute with nothing to do. `up` is for one that stays:
it takes queued tasks, retries, schedules and approvals whether anyone looks or not.

Examples:
  dogwatch up
  dogwatch up --foreground --listen 127.0.0.1:7373      for a unit of systemd, with HTTP"
)]
pub(crate) struct UpArgs {
    /// Stay in the foreground: the first Ctrl-C drains, the second stops at once.
    #[arg(long)]
    foreground: bool,
    /// Listen on this address too, apart from the Unix socket.
    #[arg(long, value_name = "ADDRESS", requires = "foreground")]
    listen: Option<SocketAddr>,
    /// Let that be an address that other machines can reach. There is no TLS: put a proxy in front.
    #[arg(long, requires = "listen")]
    allow_remote: bool,
    /// A name the server goes by, apart from localhost. Requests to other names are refused.
    #[arg(long = "host", value_name = "NAME", requires = "listen")]
    hosts: Vec<String>,
    /// How many runs this machine does at once; 0 leaves all of them to other runners.
    #[arg(long, value_name = "N", requires = "foreground")]
    slots: Option<u32>,
}

impl UpArgs {
    pub(crate) const fn foreground(&self) -> bool {
        self.foreground
    }
}

pub(crate) fn up(context: &Context, args: &UpArgs) -> Result<Exit, CliError> {
    if args.foreground {
        return serve(
            context,
            &ServeOptions {
                idle: None,
                listen: args.listen,
                allow_remote: args.allow_remote,
                hosts: args.hosts.clone(),
                slots: args.slots,
                announce: Announce::Person,
            },
        );
    }
    block_on(async {
        if let Some(endpoint) = Endpoint::of_living(&context.layout)?
            && endpoint.idle_exit
        {
            // One that would go is asked to make room for one that stays; what runs in it comes to its end first.
            end(&endpoint, context, false)?;
        }
        start_to_stay(context).await?;
        status_of_living(context).await
    })
}

/// The server as a command starts it. It says on standard output how that went, once.
pub(crate) fn serve_for_a_command(context: &Context, stay: bool) -> Exit {
    // Of the terminal it was started from it wants nothing.
    let _ = nix::unistd::setsid();
    let idle = std::env::var(IDLE_MS)
        .ok()
        .and_then(|text| text.parse().ok())
        .map_or(IDLE, Duration::from_millis);
    let options = ServeOptions {
        idle: (!stay).then_some(idle),
        listen: None,
        allow_remote: false,
        hosts: Vec::new(),
        slots: None,
        announce: Announce::Starter,
    };
    match serve(context, &options) {
        Ok(exit) => exit,
        Err(error) => {
            announce_line(&Announcement::Failed {
                code: error.code().to_owned(),
                message: error.message().to_owned(),
                next_action: error.next_action().map(str::to_owned),
            });
            error.exit()
        }
    }
}

/// End the server of this data directory.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Stop what runs, now. It is queued again and starts over when a server is there.
    #[arg(long)]
    now: bool,
}

pub(crate) fn down(context: &Context, args: &DownArgs) -> Result<Exit, CliError> {
    let Some(endpoint) = Endpoint::of_living(&context.layout)? else {
        report_down(context, false);
        return Ok(Exit::Success);
    };
    end(&endpoint, context, args.now)?;
    report_down(context, true);
    Ok(Exit::Success)
}

fn report_down(context: &Context, was_up: bool) {
    if context.json {
        print_json(&json!({ "running": false, "was_running": was_up }));
    } else if was_up {
        print("dogwatch is down");
    } else {
        print("dogwatch is not running");
    }
}

/// Asks a server to end and waits for it, for as long as its runs take.
fn end(endpoint: &Endpoint, context: &Context, now: bool) -> Result<(), CliError> {
    let process = endpoint.process();
    let asked = if now {
        process.ask_to_end_now()
    } else {
        process.ask_to_end()
    };
    asked.map_err(|error| CliError::from_error("process_unreadable", &error))?;
    let asked = Instant::now();
    let mut told = context.json;
    while endpoint.is_alive()? {
        if !told && asked.elapsed() > Duration::from_secs(2) {
            told = true;
            say("waiting for what runs to come to its end; `dogwatch down --now` stops it");
        }
        // SLEEP: between two looks at the process.
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Say whether the server of this data directory runs, and what it does.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {}

pub(crate) fn status(context: &Context, _args: &StatusArgs) -> Result<Exit, CliError> {
    block_on(status_of_living(context))
}

async fn status_of_living(context: &Context) -> Result<Exit, CliError> {
    let Some(connection) = connect_living(context)? else {
        if context.json {
            print_json(&json!({ "running": false }));
        } else {
            print("dogwatch is not running; the next command that needs it starts it");
        }
        return Ok(Exit::Success);
    };
    let plane = connection.plane();
    let runners = plane.list_runners().await?.items;
    let approvals = plane.list_approvals(ListApprovals::default()).await?.items;
    let mut counts = Vec::new();
    for status in [
        JobStatus::Running,
        JobStatus::Leased,
        JobStatus::Queued,
        JobStatus::AwaitingApproval,
        JobStatus::Parked,
        JobStatus::Blocked,
    ] {
        counts.push((status, count(&*plane, status).await?));
    }
    let endpoint = if connection.local {
        Endpoint::read(&context.layout)?
    } else {
        None
    };
    if context.json {
        let jobs: serde_json::Map<_, _> = counts
            .iter()
            .map(|(status, count)| (status.as_str().to_owned(), json!(count.0)))
            .collect();
        print_json(&json!({
            "running": true,
            "version": endpoint.as_ref().map(|endpoint| &endpoint.version),
            "pid": endpoint.as_ref().map(|endpoint| endpoint.pid),
            "since": endpoint.as_ref().map(|endpoint| endpoint.since),
            "socket": endpoint.as_ref().map(|endpoint| &endpoint.socket),
            "url": endpoint.as_ref().and_then(|endpoint| endpoint.url.as_ref()),
            "idle_exit": endpoint.as_ref().map(|endpoint| endpoint.idle_exit),
            "jobs": jobs,
            "approvals_pending": approvals.len(),
            "runners": runners,
        }));
        return Ok(Exit::Success);
    }
    if let Some(endpoint) = &endpoint {
        let stays = if endpoint.idle_exit {
            "goes when nothing is left to do"
        } else {
            "stays"
        };
        print(&format!(
            "dogwatch {} is up since {} (pid {}, {stays})",
            endpoint.version, endpoint.since, endpoint.pid
        ));
        print(&format!("socket       {}", endpoint.socket.display()));
        if let Some(url) = &endpoint.url {
            print(&format!("url          {url}"));
        }
    } else {
        print("the server answers");
    }
    let jobs: Vec<String> = counts
        .iter()
        .filter(|(_, count)| count.0 > 0)
        .map(|(status, count)| format!("{}{} {status}", count.0, if count.1 { "+" } else { "" }))
        .collect();
    print(&format!(
        "jobs         {}",
        if jobs.is_empty() {
            "none open".to_owned()
        } else {
            jobs.join(", ")
        }
    ));
    if !approvals.is_empty() {
        print(&format!(
            "approvals    {} pending: dogwatch approvals list",
            approvals.len()
        ));
    }
    print(&format!("runners      {}", runners.len()));
    Ok(Exit::Success)
}

/// How many jobs are in a state, up to a page of them, and whether there are more.
async fn count(plane: &dyn ControlPlane, status: JobStatus) -> Result<(usize, bool), CliError> {
    let page = plane
        .list_jobs(ListJobs {
            statuses: vec![status],
            limit: Some(500),
            ..ListJobs::default()
        })
        .await?;
    Ok((page.items.len(), page.next_cursor.is_some()))
}
