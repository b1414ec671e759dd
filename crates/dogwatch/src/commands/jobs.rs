//! `dogwatch jobs`: list and show without touching anything; cancel and retry through the control plane.

use clap::{Args, Subcommand};
use dogwatch_api::{CancelJob, Continue, RetryJob};
use dogwatch_core::ids::JobId;
use dogwatch_core::job::JobStatus;
use serde_json::json;

use super::reading;
use super::run::follow_to_the_end;
use crate::connect::{Connection, block_on, connect};
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
    /// Show what came of a job.
    Result(JobArg),
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
    #[command(flatten)]
    how: How,
}

/// How a job is tried again.
#[derive(Debug, Args)]
pub(super) struct How {
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
        JobsCommand::Result(args) => block_on(result(context, &args.job)),
        JobsCommand::Cancel(args) => block_on(async {
            let connection = connect(context).await?;
            let id = connection.job_named(&args.job).await?;
            cancel(context, &connection, id, &args.reason).await
        }),
        JobsCommand::Retry(args) => block_on(async {
            let connection = connect(context).await?;
            let id = connection.job_named(&args.job).await?;
            retry(context, &connection, id, &args.how).await
        }),
    }
}

/// Calls a job off.
pub(super) async fn cancel(
    context: &Context,
    connection: &Connection,
    id: JobId,
    reason: &str,
) -> Result<Exit, CliError> {
    let job = connection
        .plane()
        .cancel(CancelJob {
            job: id,
            reason: reason.to_owned(),
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

/// Tries a job again, and follows it unless asked not to.
pub(super) async fn retry(
    context: &Context,
    connection: &Connection,
    id: JobId,
    how: &How,
) -> Result<Exit, CliError> {
    let plane = connection.plane();
    let job = plane.job(id).await?.job;
    let moves = matches!(
        job.state.status(),
        JobStatus::Queued | JobStatus::Leased | JobStatus::Running
    );
    // A server that had to mend things first may have brought the job to its end or on its way: there is nothing left to ask for.
    let mended = connection.mended(id);
    if !how.go_on && (moves || (mended && job.state.status() == JobStatus::Succeeded)) {
        reading::note(&format!("{id} is {} already", job.state.status()));
        return Ok(follow_to_the_end(context, connection, id, None).await?.exit);
    }
    let retried = plane
        .retry(RetryJob {
            job: id,
            reason: how.reason.clone(),
            goes_on: how.go_on.then(|| Continue {
                run: None,
                say: how.say.clone(),
            }),
            idempotency_key: None,
        })
        .await?;
    if how.detach {
        if context.json {
            print_json(&retried);
        } else {
            print(&format!("{} is queued", retried.job_id));
        }
        return Ok(Exit::Success);
    }
    Ok(follow_to_the_end(context, connection, retried.job_id, None)
        .await?
        .exit)
}

/// What came of a job: the closing facts of its last run, and where its evidence is.
async fn result(context: &Context, text: &str) -> Result<Exit, CliError> {
    let connection = connect(context).await?;
    let plane = connection.plane();
    let view = plane.job(connection.job_named(text).await?).await?;
    let (Some(pointer), Some(run)) = (&view.result, view.job.runs.last()) else {
        return Err(CliError::new(
            "no_result",
            format!(
                "{} has no result yet; it is {}",
                view.job.id,
                view.job.state.status()
            ),
        )
        .next(format!(
            "wait for it: dogwatch wait {}",
            view.job.id.short()
        )));
    };
    let state = plane.run(run.id).await?.state;
    let summary = state
        .turns
        .last()
        .map(|turn| turn.summary().to_owned())
        .filter(|summary| !summary.is_empty());
    let failure = run
        .closed
        .as_ref()
        .and_then(|closure| closure.failure.as_ref());
    if context.json {
        print_json(&json!({
            "result_ptr": pointer, "job_id": view.job.id, "run_id": run.id, "status": view.job.state.status(),
            "closed": run.closed, "summary": summary, "judgement": run.judgement, "landed": run.landed,
        }));
        return Ok(Exit::Success);
    }
    print(&format!("{}  {}", view.job.state.status(), pointer));
    for (name, value) in [
        ("run", Some(run.id.to_string())),
        ("summary", summary),
        (
            "tree",
            run.closed.as_ref().and_then(|closure| closure.tree.clone()),
        ),
        ("why", failure.map(|failure| failure.reason.clone())),
        ("next", failure.map(|failure| failure.next_action.clone())),
        (
            "verdict",
            run.judgement
                .as_ref()
                .map(|said| format!("{} by {}", said.kind.as_str(), said.by)),
        ),
        (
            "landed",
            run.landed
                .as_ref()
                .map(|landed| format!("{} in {}", landed.commit, landed.reference)),
        ),
    ] {
        if let Some(value) = value {
            reading::line(name, &value);
        }
    }
    Ok(Exit::Success)
}
