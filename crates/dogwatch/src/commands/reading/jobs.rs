//! `dogwatch jobs list` and `dogwatch jobs show`.

use clap::Args;
use dogwatch_api::{JobView, ListJobs};
use dogwatch_core::Clock;
use dogwatch_core::job::{Job, JobState, JobStatus};
use dogwatch_store::{JobFilter, Page, PageRequest};
use dogwatch_supervisor::os::clock::SystemClock;

use super::lines::{line, print_failure, run_line};
use super::page::PageArgs;
use super::readings::Readings;
use crate::connect::{Connection, block_on, elsewhere};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Table, age, print, print_json};

/// List jobs, newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dogwatch jobs list --status failed,blocked
  dogwatch jobs list --json --limit 10")]
pub(crate) struct JobListArgs {
    /// Only jobs in this state; several with commas.
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    status: Vec<String>,
    #[command(flatten)]
    page: PageArgs,
}

pub(in crate::commands) fn list_jobs(
    context: &Context,
    args: &JobListArgs,
) -> Result<Exit, CliError> {
    let filter = JobFilter {
        project: None,
        statuses: statuses(&args.status)?,
    };
    let nothing = if filter.statuses.is_empty() {
        "there are no jobs yet; submit one: dogwatch run \"fix the flaky test\""
    } else {
        "no job is in such a state"
    };
    let page = match elsewhere()? {
        Some(connection) => block_on(listed(connection, filter, args.page.request()))?,
        None => match Readings::open_if_any(context)? {
            Some(readings) => readings.jobs(filter, args.page.request())?,
            None => Page {
                items: Vec::new(),
                next_cursor: None,
            },
        },
    };
    PageArgs::print(&page, context.json, nothing, print_jobs);
    Ok(Exit::Success)
}

/// The same of a server somewhere else.
async fn listed(
    connection: Connection,
    filter: JobFilter,
    page: PageRequest,
) -> Result<Page<JobView>, CliError> {
    let page = connection
        .plane()
        .list_jobs(ListJobs {
            project: filter.project,
            statuses: filter.statuses,
            limit: Some(page.limit),
            cursor: page.cursor,
        })
        .await?;
    Ok(Page {
        items: page.items,
        next_cursor: page.next_cursor,
    })
}

fn statuses(names: &[String]) -> Result<Vec<JobStatus>, CliError> {
    let parse = |name: &String| {
        JobStatus::parse(name.trim()).ok_or_else(|| {
            let valid = JobStatus::ALL.map(JobStatus::as_str).join(", ");
            CliError::new("status_unknown", format!("`{name}` is no state of a job"))
                .next(format!("give one of {valid}"))
        })
    };
    names.iter().map(parse).collect()
}

fn print_jobs(jobs: &[JobView]) {
    let now = SystemClock.now();
    let mut table = Table::new(&["JOB", "STATUS", "RUNS", "AGE", "AGENT", "TASK"]);
    for JobView { job, .. } in jobs {
        table.row(vec![
            job.id.short(),
            job.state.status().to_string(),
            job.starts().to_string(),
            age(job.created_at, now),
            job.agent.clone(),
            job.title.clone(),
        ]);
    }
    table.print();
}

/// Shows a job with its runs.
pub(in crate::commands) fn show_job(context: &Context, text: &str) -> Result<Exit, CliError> {
    let view = match elsewhere()? {
        Some(connection) => block_on(async {
            let id = connection.job_named(text).await?;
            Ok(connection.plane().job(id).await?)
        })?,
        None => {
            let readings = Readings::open(context)?;
            readings.view(readings.job_named(text)?)?
        }
    };
    if context.json {
        print_json(&view);
    } else {
        print_job(&view);
    }
    Ok(Exit::Success)
}

fn print_job(view: &JobView) {
    let JobView { job, queue, result } = view;
    print(&format!("{}  {}", job.state.status(), job.id));
    line("task", &job.title);
    if let Some(failure) = job.state.failure() {
        print_failure(failure);
    } else if let Some(why) = why(job) {
        line("why", &why);
    }
    if let Some(cancel) = &job.cancel {
        line(
            "cancelling",
            &format!("since {}: {}", cancel.at, cancel.reason),
        );
    }
    if let Some(reason) = queue.waiting_reason {
        line("waiting", &name(&reason));
    }
    if job.deadline.is_some() || job.not_before.is_some() {
        line("sla", &name(&queue.sla_state));
    }
    line(
        "attempts",
        &format!("{} of {}", job.starts(), job.max_attempts),
    );
    if let Some(earlier) = job.retry_of {
        line("repeats", &earlier.to_string());
    }
    if let Some(pointer) = result {
        line("result", pointer);
    }
    line("agent", &job.agent);
    line("base", &job.base);
    line("contract", &job.contract.to_string());
    let now = SystemClock.now();
    line(
        "submitted",
        &format!("{} ({} ago)", job.created_at, age(job.created_at, now)),
    );
    if let Some(deadline) = job.deadline {
        line("deadline", &deadline.to_string());
    }
    if let Some(lease) = job.active_lease() {
        let holder = lease
            .holder
            .as_ref()
            .map(|holder| format!(", process {}", holder.pid))
            .unwrap_or_default();
        let held = format!(
            "{} epoch {} on {}{holder}",
            lease.id, lease.epoch, lease.machine
        );
        line("lease", &held);
    }
    for run in &job.runs {
        line("run", &run_line(run));
    }
}

/// The name of a state as it stands in JSON.
fn name(state: &impl serde::Serialize) -> String {
    serde_json::to_value(state)
        .ok()
        .and_then(|value| value.as_str().map(|text| text.replace('_', " ")))
        .unwrap_or_default()
}

/// Why a job stands where it does, for the states that have a reason and no failure.
fn why(job: &Job) -> Option<String> {
    match &job.state {
        JobState::Queued {
            reason, backoff_ms, ..
        } => {
            let schedule = job
                .not_before
                .filter(|at| *at > SystemClock.now())
                .map(|at| format!("not before {at}"));
            let backoff =
                backoff_ms.map(|ms| format!("waits {} s before another attempt", ms / 1000));
            let parts: Vec<String> = reason
                .iter()
                .cloned()
                .chain(schedule)
                .chain(backoff)
                .collect();
            (!parts.is_empty()).then(|| parts.join("; "))
        }
        JobState::AwaitingApproval { approval, .. } => Some(format!(
            "a person has to approve its start: dogwatch approvals show {}",
            approval.short()
        )),
        JobState::Parked {
            reason,
            until,
            approval,
            ..
        } => {
            let until = until.map(|until| format!("until {until}"));
            let approval = approval.map(|id| format!("dogwatch approvals show {}", id.short()));
            let parts: Vec<String> = [
                Some(format!("waits for {}", reason.as_str())),
                until,
                approval,
            ]
            .into_iter()
            .flatten()
            .collect();
            Some(parts.join("; "))
        }
        JobState::Cancelled { reason } => Some(reason.clone()),
        JobState::Expired {} => Some("its deadline passed before it was started".to_owned()),
        JobState::Leased { .. }
        | JobState::Running { .. }
        | JobState::Blocked { .. }
        | JobState::Succeeded {}
        | JobState::Failed { .. }
        | JobState::TimedOut { .. }
        | JobState::Denied { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(names: &[&str]) -> Result<Vec<JobStatus>, String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        statuses(&names).map_err(|error| error.code().to_owned())
    }

    #[test]
    fn other_systems_words_for_states_are_understood() {
        assert_eq!(
            parsed(&["done", " Failed", "canceled"]),
            Ok(vec![
                JobStatus::Succeeded,
                JobStatus::Failed,
                JobStatus::Cancelled
            ])
        );
        assert_eq!(parsed(&[]), Ok(Vec::new()));
        assert_eq!(
            parsed(&["failed", "flying"]),
            Err("status_unknown".to_owned())
        );
    }
}
