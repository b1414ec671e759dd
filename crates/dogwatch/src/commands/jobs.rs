//! `dogwatch jobs`: list and show without touching anything; cancel and retry through the control plane.

use clap::{Args, Subcommand};
use dogwatch_api::{CancelJob, ControlPlane, JobRef, RetryJob};
use dogwatch_config::FlagValues;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::JobStatus;
use dogwatch_runner::Recovered;

use super::run::{finish, observer};
use super::{reading, summary};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::local::{Local, Lock, drive};
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
    Retry(JobArg),
}

/// Names a job.
#[derive(Debug, Args)]
pub(crate) struct JobArg {
    /// A job or one of its runs, by its id or the end of it.
    job: String,
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
        JobsCommand::Retry(args) => block_on(retry(context, &args.job)),
    }
}

fn block_on(
    work: impl std::future::Future<Output = Result<Exit, CliError>>,
) -> Result<Exit, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new("runtime", error.to_string()))?
        .block_on(work)
}

async fn cancel(context: &Context, args: &CancelArgs) -> Result<Exit, CliError> {
    let lock = Lock::take(&context.layout)?;
    let observer = std::sync::Arc::new(dogwatch_runner::Silent);
    let local = Local::open(context, lock, FlagValues::default(), observer).await?;
    summary::recovery(&local.recovery);
    let id = job_named(&local, &args.job).await?;
    let job = local
        .user
        .cancel(CancelJob {
            job: id,
            reason: args.reason.clone(),
        })
        .await?;
    if context.json {
        print_json(&job);
    } else {
        print(&format!("{} is {}", job.id, job.state.status()));
    }
    Ok(Exit::Success)
}

async fn retry(context: &Context, text: &str) -> Result<Exit, CliError> {
    let observer = observer(context);
    let lock = Lock::take(&context.layout)?;
    let local = Local::open(context, lock, FlagValues::default(), observer.clone()).await?;
    summary::recovery(&local.recovery);
    let id = job_named(&local, text).await?;
    let finished_by_recovery =
        |recovered: &Recovered| recovered.job == id && recovered.status == JobStatus::Succeeded;
    if local.recovery.recovered.iter().any(finished_by_recovery) {
        // The run had come to its end before the crash, so there is nothing left to try again.
        let job = local.user.job(id).await?;
        return Ok(summary::not_run(context, &job, JobStatus::Succeeded));
    }
    let retried = local
        .user
        .retry(RetryJob {
            job: id,
            reason: "retried at the command line".to_owned(),
            idempotency_key: None,
        })
        .await?;
    let status = local.user.job(retried.job_id).await?.state.status();
    if status != JobStatus::Queued {
        return Err(CliError::new(
            "wrong_state",
            format!("{} is {status}", retried.job_id),
        ));
    }
    let driven = drive(&local, retried.job_id).await?;
    drop(observer);
    Ok(finish(context, &local, retried.job_id, driven).await?.exit)
}

async fn job_named(local: &Local, text: &str) -> Result<JobId, CliError> {
    match local.user.resolve(text).await? {
        JobRef::Job(id) => Ok(id),
        JobRef::Run(id) => Ok(local.user.run(id).await?.job),
    }
}
