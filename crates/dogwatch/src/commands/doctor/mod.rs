//! `dogwatch doctor`: what this machine and this place can do, shown by trying, and what is wrong with them. It changes nothing.

mod check;
mod data;
mod isolation;
mod repository;
mod tools;

use clap::Args;
use dogwatch_supervisor::{probe, probe_in};
use serde_json::json;

use self::check::Status;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{plain, print, print_json};

/// Say what this machine can isolate, by trying it.
#[derive(Debug, Args)]
#[command(
    after_help = "Checks git, the store, the data directory, keys, configuration, the repository it stands in, and each means of isolation.
Leaves nothing behind. Exit codes: 0 nothing failed, 1 something did; with --strict, warnings count too."
)]
pub(crate) struct DoctorArgs {
    /// End with 1 where something could be better, too.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(context: &Context, args: &DoctorArgs) -> Result<Exit, CliError> {
    // First, while this process has one thread: the trials are made in its children. Overlays depend on the file system, so they are tried
    // where workspaces are.
    let capabilities = match context.layout.root() {
        data if data.is_dir() => probe_in(data),
        _ => probe(),
    };
    let user = isolation::AgentUser::here(context);
    let mut checks = isolation::checks(&capabilities, user, isolation::required(context));
    checks.extend(tools::checks(context));
    checks.extend(data::checks(context));
    checks.extend(repository::checks(context));
    let worst = checks
        .iter()
        .map(|check| check.status)
        .max()
        .unwrap_or(Status::Ok);
    if context.json {
        print_json(&json!({
            "status": worst,
            "containment": isolation::reached(&capabilities, user),
            "workspace_method": isolation::method(&capabilities),
            "checks": checks,
            "capabilities": capabilities,
        }));
    } else {
        for check in &checks {
            print(&plain(&check.line()));
        }
    }
    Ok(
        if worst == Status::Fail || (args.strict && worst == Status::Warn) {
            Exit::Failure
        } else {
            Exit::Success
        },
    )
}
