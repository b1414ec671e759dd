//! dogwatch: a control plane for unattended coding agents.

mod cli;
mod commands;
mod connect;
mod context;
mod crash_point;
mod error;
mod exit;
#[cfg(feature = "failpoints")]
mod failpoints;
mod follow;
mod oplog;
mod output;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    // These are this program in another role. They come before everything else: a shim has no use for a runtime or a parser.
    if let Some(ended) = dogwatch_supervisor::play_role(std::env::args_os().skip(1)) {
        return ended;
    }
    let mut arguments = std::env::args_os();
    if arguments
        .nth(1)
        .is_some_and(|word| word == "__scripted-agent")
    {
        return dogwatch_scripted::agent_main(arguments);
    }
    #[cfg(feature = "failpoints")]
    failpoints::arm();
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "__server")
    {
        return cli::serve(std::env::args_os().skip(2));
    }
    cli::run()
}
