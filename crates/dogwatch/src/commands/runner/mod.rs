//! `dogwatch runner`: machines that work for a server, this one among them.

mod list;
mod own;
mod relay;
mod work;

use clap::Subcommand;

use self::own::{OwnCancelArgs, OwnRetryArgs};
use self::work::WorkArgs;
use crate::connect::block_on;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Work for a server, and look after what this machine works on.
#[derive(Debug, Subcommand)]
pub(crate) enum RunnerCommand {
    /// List the runners the server knows.
    List,
    /// Take jobs of a server and run them on this machine.
    Work(WorkArgs),
    /// Call off what this machine works on.
    Cancel(OwnCancelArgs),
    /// Try again what this machine worked on last.
    Retry(OwnRetryArgs),
}

pub(crate) fn run(context: &Context, command: RunnerCommand) -> Result<Exit, CliError> {
    match command {
        RunnerCommand::List => block_on(list::list(context)),
        RunnerCommand::Work(args) => block_on(work::work(context, &args)),
        RunnerCommand::Cancel(args) => block_on(own::cancel(context, &args)),
        RunnerCommand::Retry(args) => block_on(own::retry(context, &args)),
    }
}
