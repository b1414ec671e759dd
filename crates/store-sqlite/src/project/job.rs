//! The row of a job.

use dogwatch_core::job::{Job, JobStream};
use dogwatch_core::{Sha256Digest, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{integer, json};
use crate::fault::Fault;

/// A row of `jobs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobRow {
    pub(crate) id: String,
    project: String,
    status: String,
    priority: i64,
    deadline: Option<i64>,
    created_at: i64,
    updated_at: i64,
    epoch: i64,
    pub(crate) version: i64,
    pub(crate) head: String,
    pub(crate) state: String,
}

impl JobRow {
    /// What a stream that ends at `version` with `head` projects to.
    pub(crate) fn of(stream: &JobStream, job: &Job, version: u64, head: Sha256Digest) -> Self {
        Self {
            id: job.id.to_string(),
            project: job.project.to_string(),
            status: job.state.status().as_str().to_owned(),
            priority: i64::from(job.priority),
            deadline: job.deadline.map(Timestamp::as_micros),
            created_at: job.created_at.as_micros(),
            updated_at: job.updated_at.as_micros(),
            epoch: integer(job.epoch.0),
            version: integer(version),
            head: head.to_string(),
            state: json(stream),
        }
    }

    /// The row as it is stored.
    pub(crate) fn load(connection: &Connection, id: &str) -> Result<Option<Self>, Fault> {
        let row = connection
            .prepare_cached(
                "SELECT id, project, status, priority, deadline, created_at, updated_at, epoch, version, head, state
                 FROM jobs WHERE id = ?1",
            )?
            .query_row([id], |row| {
                Ok(Self {
                    id: row.get(0)?,
                    project: row.get(1)?,
                    status: row.get(2)?,
                    priority: row.get(3)?,
                    deadline: row.get(4)?,
                    created_at: row.get(5)?,
                    updated_at: row.get(6)?,
                    epoch: row.get(7)?,
                    version: row.get(8)?,
                    head: row.get(9)?,
                    state: row.get(10)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Stores it in place of what was there.
    pub(crate) fn write(&self, connection: &Connection) -> Result<(), Fault> {
        connection
            .prepare_cached(
                "INSERT INTO jobs (id, project, status, priority, deadline, created_at, updated_at, epoch, version, head, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT (id) DO UPDATE SET project = excluded.project, status = excluded.status,
                    priority = excluded.priority, deadline = excluded.deadline, created_at = excluded.created_at,
                    updated_at = excluded.updated_at, epoch = excluded.epoch, version = excluded.version,
                    head = excluded.head, state = excluded.state",
            )?
            .execute(params![
                self.id,
                self.project,
                self.status,
                self.priority,
                self.deadline,
                self.created_at,
                self.updated_at,
                self.epoch,
                self.version,
                self.head,
                self.state,
            ])?;
        Ok(())
    }
}
