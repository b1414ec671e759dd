//! The projections of a job: its row, its place in the ready index, its active lease.

use dogwatch_core::job::{Job, JobState, JobStream};
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

/// A row of `ready`, without its place: that depends on the time of day, not on the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadyRow {
    project: String,
    rank: i64,
    not_before: Option<i64>,
    created_at: i64,
}

impl ReadyRow {
    /// The place of a job that waits for a runner.
    pub(crate) fn of(job: &Job) -> Option<Self> {
        let JobState::Queued { not_before, .. } = &job.state else {
            return None;
        };
        Some(Self {
            project: job.project.to_string(),
            // The greatest priority is the lowest rank, so that the index is read forwards.
            rank: -i64::from(job.priority),
            not_before: not_before.map(Timestamp::as_micros),
            created_at: job.created_at.as_micros(),
        })
    }

    /// The row as it is stored.
    pub(crate) fn load(connection: &Connection, job: &str) -> Result<Option<Self>, Fault> {
        let row = connection
            .prepare_cached(
                "SELECT project, rank, not_before, created_at FROM ready WHERE job = ?1",
            )?
            .query_row([job], |row| {
                Ok(Self {
                    project: row.get(0)?,
                    rank: row.get(1)?,
                    not_before: row.get(2)?,
                    created_at: row.get(3)?,
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
                        "INSERT INTO ready (job, project, rank, not_before, created_at, due)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                         ON CONFLICT (job) DO UPDATE SET project = excluded.project, rank = excluded.rank,
                            not_before = excluded.not_before, created_at = excluded.created_at, due = excluded.due",
                    )?
                    .execute(params![
                        job,
                        row.project,
                        row.rank,
                        row.not_before,
                        row.created_at,
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

/// A row of `active_leases`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    lease: String,
    body: String,
}

impl LeaseRow {
    /// The active lease of a job.
    pub(crate) fn of(job: &Job) -> Option<Self> {
        let lease = job.active_lease()?;
        Some(Self {
            lease: lease.id.to_string(),
            body: json(lease),
        })
    }

    /// The row as it is stored.
    pub(crate) fn load(connection: &Connection, job: &str) -> Result<Option<Self>, Fault> {
        let row = connection
            .prepare_cached("SELECT lease, body FROM active_leases WHERE job = ?1")?
            .query_row([job], |row| {
                Ok(Self {
                    lease: row.get(0)?,
                    body: row.get(1)?,
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
    ) -> Result<(), Fault> {
        match row {
            Some(row) => connection
                .prepare_cached(
                    "INSERT INTO active_leases (job, lease, body) VALUES (?1, ?2, ?3)
                     ON CONFLICT (job) DO UPDATE SET lease = excluded.lease, body = excluded.body",
                )?
                .execute(params![job, row.lease, row.body])?,
            None => connection
                .prepare_cached("DELETE FROM active_leases WHERE job = ?1")?
                .execute([job])?,
        };
        Ok(())
    }
}
