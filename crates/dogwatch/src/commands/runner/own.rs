//! `dogwatch runner cancel` and `retry`: the job this machine holds, or held last, without anybody having to know its id.

use clap::Args;
use dogwatch_api::{ControlPlane, ListJobs};
use dogwatch_core::ids::{JobId, LeaseId, MachineId};
use dogwatch_core::job::{Job, JobStatus};
use dogwatch_runner::MachineRecord;

use crate::commands::jobs;
use crate::connect::{Connection, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// How many jobs are looked through for this machine's last one.
const LOOKED_THROUGH: u32 = 500;

/// Call off what this machine works on.
#[derive(Debug, Args)]
pub(crate) struct OwnCancelArgs {
    /// A job or one of its runs; the one this machine holds a lease on if not given.
    job: Option<String>,
    /// The job under this lease.
    #[arg(long, value_name = "LEASE", conflicts_with = "job")]
    lease_id: Option<LeaseId>,
    /// Why, for the record.
    #[arg(long, default_value = "cancelled at the command line")]
    reason: String,
}

/// Try again what this machine worked on last.
#[derive(Debug, Args)]
pub(crate) struct OwnRetryArgs {
    /// A job or one of its runs; the one this machine worked on last if not given.
    job: Option<String>,
    /// The job whose latest lease this is.
    #[arg(long, value_name = "LEASE", conflicts_with = "job")]
    lease_id: Option<LeaseId>,
    #[command(flatten)]
    how: jobs::How,
}

/// Which of this machine's jobs is meant where none is named.
#[derive(Clone, Copy)]
enum Wanted {
    Active,
    Latest,
}

pub(super) async fn cancel(context: &Context, args: &OwnCancelArgs) -> Result<Exit, CliError> {
    let connection = connect(context).await?;
    let id = meant(
        context,
        &connection,
        args.job.as_deref(),
        args.lease_id,
        Wanted::Active,
    )
    .await?;
    jobs::cancel(context, &connection, id, &args.reason).await
}

pub(super) async fn retry(context: &Context, args: &OwnRetryArgs) -> Result<Exit, CliError> {
    let connection = connect(context).await?;
    let id = meant(
        context,
        &connection,
        args.job.as_deref(),
        args.lease_id,
        Wanted::Latest,
    )
    .await?;
    jobs::retry(context, &connection, id, &args.how).await
}

async fn meant(
    context: &Context,
    connection: &Connection,
    named: Option<&str>,
    lease: Option<LeaseId>,
    wanted: Wanted,
) -> Result<JobId, CliError> {
    if let Some(text) = named {
        return connection.job_named(text).await;
    }
    let machine = match lease {
        Some(_) => None,
        None => Some(this_machine(context)?),
    };
    let fits = |job: &Job| {
        job.lease.as_ref().is_some_and(|held| {
            lease.is_none_or(|lease| held.id == lease)
                && machine.is_none_or(|machine| held.machine == machine)
        })
    };
    let under_way = vec![JobStatus::Leased, JobStatus::Running, JobStatus::Parked];
    let found = newest(&*connection.plane(), under_way, fits).await?;
    let found = match (found, wanted, lease) {
        (None, Wanted::Latest, _) | (None, _, Some(_)) => {
            newest(&*connection.plane(), Vec::new(), fits).await?
        }
        (found, _, _) => found,
    };
    found.ok_or_else(|| nothing(lease, wanted))
}

/// The newest job that fits, as listings order them.
async fn newest(
    plane: &dyn ControlPlane,
    statuses: Vec<JobStatus>,
    fits: impl Fn(&Job) -> bool,
) -> Result<Option<JobId>, CliError> {
    let request = ListJobs {
        statuses,
        limit: Some(LOOKED_THROUGH),
        ..ListJobs::default()
    };
    let page = plane.list_jobs(request).await?;
    Ok(page
        .items
        .iter()
        .map(|view| &view.job)
        .filter(|job| fits(job))
        .max_by_key(|job| job.lease.as_ref().map(|lease| lease.granted_at))
        .map(|job| job.id))
}

fn this_machine(context: &Context) -> Result<MachineId, CliError> {
    let record = MachineRecord::read(&context.places.machine_identity())
        .map_err(|error| CliError::from_error("machine_identity", &error))?;
    record
        .map(|record| record.machine_id)
        .ok_or_else(|| nothing(None, Wanted::Latest))
}

fn nothing(lease: Option<LeaseId>, wanted: Wanted) -> CliError {
    let what = match (lease, wanted) {
        (Some(lease), _) => format!("no job is or was under {lease}"),
        (None, Wanted::Active) => "this machine holds no lease".to_owned(),
        (None, Wanted::Latest) => "this machine has not worked on anything yet".to_owned(),
    };
    CliError::new("nothing_held", what)
        .next("name the job; `dogwatch jobs list` shows what there is")
}
