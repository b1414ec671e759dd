//! The place of a job in the ready index.

use dogwatch_core::Timestamp;
use dogwatch_core::job::{Job, JobState};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::fault::Fault;

/// A row of `ready`, without its place: that depends on the time of day, not on the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadyRow {
    project: String,
    machine: Option<String>,
    rank: i64,
    schedule: i64,
    created_at: i64,
    not_before: Option<i64>,
}

impl ReadyRow {
    /// The place of a job that waits for a runner and nothing else, but perhaps for the schedule that it came with.
    pub(crate) fn of(job: &Job) -> Option<Self> {
        let (machine, not_before) = match &job.state {
            JobState::Queued {
                backoff_ms: None, ..
            } => (None, job.not_before),
            JobState::Parked {
                due: true, machine, ..
            } => (Some(machine.to_string()), None),
            _ => return None,
        };
        Some(Self {
            project: job.project.to_string(),
            machine,
            // The greatest priority is the lowest rank, so that the index is read forwards.
            rank: -i64::from(job.priority),
            schedule: job.not_before.unwrap_or(job.created_at).as_micros(),
            created_at: job.created_at.as_micros(),
            not_before: not_before.map(Timestamp::as_micros),
        })
    }

    /// The row as it is stored.
    pub(crate) fn load(connection: &Connection, job: &str) -> Result<Option<Self>, Fault> {
        let row = connection
            .prepare_cached(
                "SELECT project, machine, rank, schedule, created_at, not_before FROM ready WHERE job = ?1",
            )?
            .query_row([job], |row| {
                Ok(Self {
                    project: row.get(0)?,
                    machine: row.get(1)?,
                    rank: row.get(2)?,
                    schedule: row.get(3)?,
                    created_at: row.get(4)?,
                    not_before: row.get(5)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Stores `row`, or that there is none.
    pub(crate) fn write(
        row: Option<&Self>,
        connection: &Connection,
        job: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        match row {
            Some(row) => {
                let due = row.not_before.is_none_or(|at| at <= now.as_micros());
                connection
                    .prepare_cached(
                        "INSERT INTO ready (job, project, machine, rank, schedule, created_at, not_before, due)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                         ON CONFLICT (job) DO UPDATE SET project = excluded.project, machine = excluded.machine,
                            rank = excluded.rank, schedule = excluded.schedule, created_at = excluded.created_at,
                            not_before = excluded.not_before, due = excluded.due",
                    )?
                    .execute(params![
                        job,
                        row.project,
                        row.machine,
                        row.rank,
                        row.schedule,
                        row.created_at,
                        row.not_before,
                        due
                    ])?;
            }
            None => {
                connection
                    .prepare_cached("DELETE FROM ready WHERE job = ?1")?
                    .execute([job])?;
            }
        }
        Ok(())
    }
}
