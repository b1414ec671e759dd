//! `dogwatch doctor`: what this machine and this place can do, shown by trying, and what is wrong with them. It changes nothing.

mod check;
mod data;
mod isolation;
mod repository;
mod tools;

use clap::Args;
use dogwatch_supervisor::probe;
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
Writes nothing. Exit codes: 0 nothing failed, 1 something did."
)]
pub(crate) struct DoctorArgs {}

pub(crate) fn run(context: &Context, _args: &DoctorArgs) -> Result<Exit, CliError> {
    // First, while this process has one thread: the trials are made in its children.
    let capabilities = probe();
    let mut checks = isolation::checks(&capabilities);
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
            "containment": isolation::CONTAINMENT,
            "checks": checks,
            "capabilities": capabilities,
        }));
    } else {
        for check in &checks {
            print(&plain(&check.line()));
        }
    }
    Ok(if worst == Status::Fail {
        Exit::Failure
    } else {
        Exit::Success
    })
}
