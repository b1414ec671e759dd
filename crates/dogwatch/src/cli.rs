//! The command line: parsing, and nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// A control plane for unattended coding agents.
///
/// Hand it a task; it runs an agent in a private clone, checks the result by itself, and leaves a sealed bundle of evidence.
#[derive(Debug, Parser)]
#[command(
    name = "dogwatch",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Print JSON: a document, or a line per event.
    #[arg(long, global = true)]
    json: bool,
    /// Act as if started in this directory.
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a task to its end and follow it.
    Run(commands::run::RunArgs),
    /// Show the whole thing on a throw-away repository with a scripted agent.
    Demo(commands::demo::DemoArgs),
    /// Show what a run changed.
    Diff(commands::diff::DiffArgs),
    /// Take the result of a run into your repository.
    Promote(commands::promote::PromoteArgs),
    /// Put on record that the result of a run is not wanted.
    Reject(commands::reject::RejectArgs),
    /// Write the files of a run's snapshot into a fresh directory.
    Restore(commands::restore::RestoreArgs),
    /// Check the evidence of a run.
    Verify(commands::verify::VerifyArgs),
    /// Follow a job until it is over, or waits for a person.
    Wait(commands::wait::WaitArgs),
    /// Start the server of this data directory and let it stay.
    Up(commands::up::UpArgs),
    /// End the server of this data directory.
    Down(commands::up::DownArgs),
    /// Say whether the server runs, and what it does.
    Status(commands::up::StatusArgs),
    /// List, show and decide approvals.
    #[command(subcommand)]
    Approvals(commands::approvals::ApprovalsCommand),
    /// Work for a server, and list those who do.
    #[command(subcommand)]
    Runner(commands::runner::RunnerCommand),
    /// Create, list and revoke tokens.
    #[command(subcommand)]
    Token(commands::token::TokenCommand),
    /// Say why a job or run stands where it stands.
    Why(commands::why::WhyArgs),
    /// Print the control log: every mutation, with who did it.
    Audit(commands::audit::AuditArgs),
    /// List, show, cancel and retry jobs.
    #[command(subcommand)]
    Jobs(commands::jobs::JobsCommand),
    /// List and show runs.
    #[command(subcommand)]
    Runs(commands::runs::RunsCommand),
    /// Print what a run's agent and gates printed.
    Logs(commands::logs::LogsArgs),
    /// Prepare a repository: its identity and a configuration to fill in.
    Init(commands::init::InitArgs),
    /// Say what this machine can isolate, by trying it.
    Doctor(commands::doctor::DoctorArgs),
    /// Show the configuration.
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Say what a code in a message means and what to do about it.
    Explain(commands::explain::ExplainArgs),
    /// Print a completion script.
    Completions(commands::completions::CompletionsArgs),
}

/// Parses, runs, and says what went wrong.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; everything else is bad usage.
            let exit = if error.use_stderr() {
                Exit::Failure
            } else {
                Exit::Success
            };
            let _ = error.print();
            return exit.into();
        }
    };
    // A server in the foreground has logs of its own, which take in this one.
    if !matches!(&cli.command, Command::Up(args) if args.foreground()) {
        start_log();
    }
    let json = cli.json;
    match Context::new(json, cli.directory.clone())
        .and_then(|context| dispatch(&context, cli.command))
    {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print(json);
            error.exit().into()
        }
    }
}

fn dispatch(context: &Context, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Run(args) => commands::run::run(context, args),
        Command::Demo(args) => commands::demo::run(context, &args),
        Command::Diff(args) => commands::diff::run(context, &args),
        Command::Promote(args) => commands::promote::run(context, &args),
        Command::Reject(args) => commands::reject::run(context, &args),
        Command::Restore(args) => commands::restore::run(context, &args),
        Command::Verify(args) => commands::verify::run(context, &args),
        Command::Wait(args) => commands::wait::run(context, &args),
        Command::Up(args) => commands::up::up(context, &args),
        Command::Down(args) => commands::up::down(context, &args),
        Command::Status(args) => commands::up::status(context, &args),
        Command::Approvals(command) => commands::approvals::run(context, command),
        Command::Runner(command) => commands::runner::run(context, command),
        Command::Token(command) => commands::token::run(context, command),
        Command::Why(args) => commands::why::run(context, &args),
        Command::Audit(args) => commands::audit::run(context, &args),
        Command::Jobs(command) => commands::jobs::run(context, command),
        Command::Runs(command) => commands::runs::run(context, command),
        Command::Logs(args) => commands::logs::run(context, &args),
        Command::Init(args) => commands::init::run(context, &args),
        Command::Doctor(args) => commands::doctor::run(context, &args),
        Command::Config(command) => commands::config::run(context, command),
        Command::Explain(args) => commands::explain::run(context, &args),
        Command::Completions(args) => Ok(commands::completions::run(&args)),
    }
}

/// The server, as a command starts it. It comes before parsing: it is not a command.
pub(crate) fn serve(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    let stay = arguments.any(|argument| argument == "--stay");
    match Context::new(true, None) {
        Ok(context) => commands::up::serve_for_a_command(&context, stay).into(),
        Err(error) => {
            error.print(true);
            error.exit().into()
        }
    }
}

/// The program's own log, for those who look for a defect: silent unless `DOGWATCH_LOG` asks.
fn start_log() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("DOGWATCH_LOG") {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .init();
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
