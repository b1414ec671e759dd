//! The projection of a run: what the control stream says of it, and what its journal says.

use dogwatch_core::Timestamp;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::{Job, RunHeader};
use dogwatch_store::RunLog;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{integer, json};
use crate::fault::Fault;

/// The part of a row of `runs` that comes from the control stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunRow {
    pub(crate) id: RunId,
    job: String,
    project: String,
    created_at: i64,
    header: String,
}

impl RunRow {
    /// What a run of `job` projects to.
    pub(crate) fn of(job: &Job, header: &RunHeader) -> Self {
        Self {
            id: header.id,
            job: job.id.to_string(),
            project: job.project.to_string(),
            created_at: Timestamp::as_micros(header.created_at),
            header: json(header),
        }
    }

    /// The row as it is stored.
    pub(crate) fn load(connection: &Connection, id: RunId) -> Result<Option<Self>, Fault> {
        let row = connection
            .prepare_cached("SELECT job, project, created_at, header FROM runs WHERE id = ?1")?
            .query_row([id.to_string()], |row| {
                Ok(Self {
                    id,
                    job: row.get(0)?,
                    project: row.get(1)?,
                    created_at: row.get(2)?,
                    header: row.get(3)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Stores it, with an empty journal where the run is new.
    pub(crate) fn write(&self, connection: &Connection) -> Result<(), Fault> {
        let empty = JournalRow::of(&RunLog::empty(self.id));
        let written = connection
            .prepare_cached(
                "INSERT INTO runs (id, job, project, created_at, header, lines, head, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (id) DO UPDATE SET project = excluded.project, created_at = excluded.created_at,
                    header = excluded.header
                 WHERE runs.job = excluded.job",
            )?
            .execute(params![
                self.id.to_string(),
                self.job,
                self.project,
                self.created_at,
                self.header,
                empty.lines,
                empty.head,
                empty.state,
            ])?;
        if written == 1 {
            Ok(())
        } else {
            Err(Fault::corrupt(self.id, "it belongs to another job"))
        }
    }
}

/// The part of a row of `runs` that comes from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JournalRow {
    pub(crate) lines: i64,
    pub(crate) head: String,
    pub(crate) state: String,
}

impl JournalRow {
    /// What a journal projects to.
    pub(crate) fn of(log: &RunLog) -> Self {
        Self {
            lines: integer(log.count),
            head: log.head.to_string(),
            state: json(&log.state),
        }
    }

    /// The row as it is stored.
    pub(crate) fn load(connection: &Connection, id: RunId) -> Result<Option<Self>, Fault> {
        let row = connection
            .prepare_cached("SELECT lines, head, state FROM runs WHERE id = ?1")?
            .query_row([id.to_string()], |row| {
                Ok(Self {
                    lines: row.get(0)?,
                    head: row.get(1)?,
                    state: row.get(2)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Stores it; the run's row is there.
    pub(crate) fn write(&self, connection: &Connection, id: RunId) -> Result<(), Fault> {
        connection
            .prepare_cached("UPDATE runs SET lines = ?2, head = ?3, state = ?4 WHERE id = ?1")?
            .execute(params![id.to_string(), self.lines, self.head, self.state])?;
        Ok(())
    }
}
