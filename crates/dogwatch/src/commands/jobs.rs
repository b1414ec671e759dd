//! `dogwatch jobs`: list and show without touching anything; cancel and retry through the control plane.

use clap::{Args, Subcommand};
use dogwatch_api::{CancelJob, Continue, RetryJob};
use dogwatch_core::job::JobStatus;

use super::reading;
use super::run::follow_to_the_end;
use crate::connect::{block_on, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{print, print_json};

/// List, show, cancel and retry jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, newest first.
    List(reading::JobListArgs),
    /// Show a job with its runs.
    Show(JobArg),
    /// Call a job off.
    Cancel(CancelArgs),
    /// Try a job again, and follow it.
    Retry(RetryArgs),
}

/// Names a job.
#[derive(Debug, Args)]
pub(crate) struct JobArg {
    /// A job or one of its runs, by its id or the end of it.
    job: String,
}

/// Try a job again.
#[derive(Debug, Args)]
#[command(
    after_help = "A blocked job is queued again; one that is over is repeated by a new job under the same contract. From its base, unless
--continue says to go on from where the last run stopped.

Examples:
  dogwatch jobs retry 3fa9c1
  dogwatch jobs retry 3fa9c1 --continue --say \"the database is up now\""
)]
pub(crate) struct RetryArgs {
    /// A job or one of its runs, by its id or the end of it.
    job: String,
    /// Go on from the last snapshot of its last run, in the same agent session.
    #[arg(long = "continue")]
    go_on: bool,
    /// What to tell the agent.
    #[arg(long, value_name = "TEXT", requires = "go_on")]
    say: Option<String>,
    /// Do not watch it.
    #[arg(long, short)]
    detach: bool,
    /// Why, for the record.
    #[arg(long, default_value = "retried at the command line")]
    reason: String,
}

impl RetryArgs {
    const fn goes_on(&self) -> bool {
        self.go_on
    }
}

/// Call a job off.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// A job or one of its runs, by its id or the end of it.
    job: String,
    /// Why, for the record.
    #[arg(long, default_value = "cancelled at the command line")]
    reason: String,
}

pub(crate) fn run(context: &Context, command: JobsCommand) -> Result<Exit, CliError> {
    match command {
        JobsCommand::List(args) => reading::list_jobs(context, &args),
        JobsCommand::Show(args) => reading::show_job(context, &args.job),
        JobsCommand::Cancel(args) => block_on(cancel(context, &args)),
        JobsCommand::Retry(args) => block_on(retry(context, &args)),
    }
}

async fn cancel(context: &Context, args: &CancelArgs) -> Result<Exit, CliError> {
    let connection = connect(context).await?;
    let id = connection.job_named(&args.job).await?;
    let job = connection
        .plane()
        .cancel(CancelJob {
            job: id,
            reason: args.reason.clone(),
        })
        .await?;
    if context.json {
        print_json(&job);
    } else if job.cancel.is_some() {
        print(&format!(
            "{} is {} and will stop; dogwatch wait {}",
            job.id,
            job.state.status(),
            job.id.short()
        ));
    } else {
        print(&format!("{} is {}", job.id, job.state.status()));
    }
    Ok(Exit::Success)
}

async fn retry(context: &Context, args: &RetryArgs) -> Result<Exit, CliError> {
    let connection = connect(context).await?;
    let plane = connection.plane();
    let id = connection.job_named(&args.job).await?;
    let job = plane.job(id).await?.job;
    let moves = matches!(
        job.state.status(),
        JobStatus::Queued | JobStatus::Leased | JobStatus::Running
    );
    // A server that had to mend things first may have brought the job to its end or on its way: there is nothing left to ask for.
    let mended = connection.mended(id);
    if !args.goes_on() && (moves || (mended && job.state.status() == JobStatus::Succeeded)) {
        reading::note(&format!("{id} is {} already", job.state.status()));
        return Ok(follow_to_the_end(context, &connection, id, None)
            .await?
            .exit);
    }
    let retried = plane
        .retry(RetryJob {
            job: id,
            reason: args.reason.clone(),
            goes_on: args.goes_on().then(|| Continue {
                run: None,
                say: args.say.clone(),
            }),
            idempotency_key: None,
        })
        .await?;
    if args.detach {
        if context.json {
            print_json(&retried);
        } else {
            print(&format!("{} is queued", retried.job_id));
        }
        return Ok(Exit::Success);
    }
    Ok(
        follow_to_the_end(context, &connection, retried.job_id, None)
            .await?
            .exit,
    )
}
