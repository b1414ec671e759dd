//! Jobs, by id and by page.

use dogwatch_core::ids::JobId;
use dogwatch_core::job::{Job, JobStatus};
use dogwatch_store::{JobFilter, Page, PageRequest};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::cursor::Window;
use crate::fault::Fault;
use crate::load::parse_state;

/// A job.
pub(crate) fn job(connection: &Connection, id: JobId) -> Result<Option<Job>, Fault> {
    let id = id.to_string();
    let state: Option<String> = connection
        .prepare_cached("SELECT state FROM jobs WHERE id = ?1")?
        .query_row([&id], |row| row.get(0))
        .optional()?;
    match state {
        Some(state) => parse_job(&id, &state).map(Some),
        None => {
            // A job whose projection is gone is not a job that never was.
            let logged = connection
                .prepare_cached("SELECT 1 FROM events WHERE stream = ?1")?
                .exists([&id])?;
            if logged {
                Err(Fault::corrupt(id, "its projection is missing"))
            } else {
                Ok(None)
            }
        }
    }
}

/// Jobs, newest first.
pub(crate) fn jobs(
    connection: &Connection,
    filter: &JobFilter,
    page: &PageRequest,
) -> Result<Page<Job>, Fault> {
    let window = Window::of(page, JobId::PREFIX)?;
    let mut statuses = filter.statuses.clone();
    statuses.sort_unstable();
    statuses.dedup();
    let mut rows = Vec::new();
    if statuses.is_empty() {
        rows = select(connection, filter, None, &window)?;
    } else {
        // One seek per state: a single one over all of them would read every finished job to find a queued one.
        for status in statuses {
            rows.extend(select(connection, filter, Some(status), &window)?);
        }
        rows.sort_unstable_by(|left, right| right.0.cmp(&left.0));
        rows.truncate(usize::try_from(window.fetch()).unwrap_or(usize::MAX));
    }
    let jobs = rows
        .into_iter()
        .map(|((_, id), state)| parse_job(&id, &state))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(window.page(jobs, |job| (job.created_at, job.id.to_string())))
}

/// How many jobs are not over.
pub(crate) fn unfinished(connection: &Connection) -> Result<u64, Fault> {
    let count: i64 = connection
        .prepare_cached(UNFINISHED)?
        .query_row([], |row| row.get(0))?;
    u64::try_from(count).map_err(|error| Fault::corrupt("the number of jobs", error))
}

/// Counts in the index by state, so that it costs nothing however many jobs are over.
const UNFINISHED: &str = "SELECT count(*) FROM jobs
     WHERE status IN ('queued', 'awaiting_approval', 'leased', 'running', 'parked', 'blocked')";

type Row = ((i64, String), String);

fn select(
    connection: &Connection,
    filter: &JobFilter,
    status: Option<JobStatus>,
    window: &Window,
) -> Result<Vec<Row>, Fault> {
    let sql = match (filter.project.is_some(), status.is_some()) {
        (false, false) => {
            "SELECT created_at, id, state FROM jobs WHERE (created_at, id) < (?1, ?2)
             ORDER BY created_at DESC, id DESC LIMIT ?3"
        }
        (true, false) => {
            "SELECT created_at, id, state FROM jobs WHERE (created_at, id) < (?1, ?2) AND project = ?4
             ORDER BY created_at DESC, id DESC LIMIT ?3"
        }
        (false, true) => {
            "SELECT created_at, id, state FROM jobs WHERE (created_at, id) < (?1, ?2) AND status = ?5
             ORDER BY created_at DESC, id DESC LIMIT ?3"
        }
        (true, true) => {
            "SELECT created_at, id, state FROM jobs WHERE (created_at, id) < (?1, ?2) AND project = ?4 AND status = ?5
             ORDER BY created_at DESC, id DESC LIMIT ?3"
        }
    };
    let mut statement = connection.prepare_cached(sql)?;
    let from = &window.from;
    let project = filter.project.map(|project| project.to_string());
    let status = status.map(JobStatus::as_str);
    let read = |row: &rusqlite::Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get(2)?));
    let rows = match (project, status) {
        (None, None) => {
            statement.query_map(params![from.created_at, from.id, window.fetch()], read)?
        }
        (project, None) => statement.query_map(
            params![from.created_at, from.id, window.fetch(), project],
            read,
        )?,
        (project, status) => statement.query_map(
            params![from.created_at, from.id, window.fetch(), project, status],
            read,
        )?,
    };
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}

fn parse_job(id: &str, state: &str) -> Result<Job, Fault> {
    parse_state(id, state)?
        .job
        .ok_or_else(|| Fault::corrupt(id, "its row holds no job"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_are_over_are_not_counted_one_by_one() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migrate::run(&mut connection, std::path::Path::new("x")).unwrap();
        for status in JobStatus::ALL {
            assert_eq!(
                UNFINISHED.contains(&format!("'{status}'")),
                !status.is_terminal(),
                "{status}"
            );
        }
        let plan: String = connection
            .query_row(&format!("EXPLAIN QUERY PLAN {UNFINISHED}"), [], |row| {
                row.get("detail")
            })
            .unwrap();
        assert!(
            plan.starts_with("SEARCH jobs USING COVERING INDEX jobs_by_status"),
            "{plan}"
        );
    }
}
