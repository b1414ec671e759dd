//! What a job waits for that only time brings.

use std::collections::BTreeSet;

use dogwatch_core::job::{Job, Timer};
use rusqlite::{Connection, params};

use super::json;
use crate::fault::Fault;

/// A row of `timers`: the instant, where it waits for the wall clock, and the timer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerRow {
    at: Option<i64>,
    body: String,
}

impl TimerRow {
    /// Every timer of a job.
    pub(crate) fn of(job: &Job) -> BTreeSet<Self> {
        job.timers()
            .iter()
            .map(|timer| Self {
                at: match timer {
                    Timer::Backoff { .. } | Timer::Approval { .. } => None,
                    Timer::Deadline { at } | Timer::Resume { at } => Some(at.as_micros()),
                },
                body: json(timer),
            })
            .collect()
    }

    /// The rows as they are stored.
    pub(crate) fn load(connection: &Connection, job: &str) -> Result<BTreeSet<Self>, Fault> {
        let rows = connection
            .prepare_cached("SELECT at, body FROM timers WHERE job = ?1")?
            .query_map([job], |row| {
                Ok(Self {
                    at: row.get(0)?,
                    body: row.get(1)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Stores `rows` in place of what was there.
    pub(crate) fn write(
        rows: &BTreeSet<Self>,
        connection: &Connection,
        job: &str,
    ) -> Result<(), Fault> {
        // Most updates change none of them.
        if Self::load(connection, job)? == *rows {
            return Ok(());
        }
        connection
            .prepare_cached("DELETE FROM timers WHERE job = ?1")?
            .execute([job])?;
        let mut insert =
            connection.prepare_cached("INSERT INTO timers (job, at, body) VALUES (?1, ?2, ?3)")?;
        for row in rows {
            insert.execute(params![job, row.at, row.body])?;
        }
        Ok(())
    }
}
