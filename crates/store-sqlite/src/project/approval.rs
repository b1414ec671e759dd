//! The projection of an approval.

use dogwatch_core::Timestamp;
use dogwatch_core::job::{Approval, Job};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::json;
use crate::fault::Fault;

/// A row of `approvals`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApprovalEntry {
    pub(crate) id: String,
    job: String,
    project: String,
    title: String,
    state: String,
    requested_at: i64,
    body: String,
}

impl ApprovalEntry {
    /// What an approval of `job` projects to.
    pub(crate) fn of(job: &Job, approval: &Approval) -> Self {
        Self {
            id: approval.id.to_string(),
            job: job.id.to_string(),
            project: job.project.to_string(),
            title: job.title.clone(),
            state: approval.state.as_str().to_owned(),
            requested_at: Timestamp::as_micros(approval.requested_at),
            body: json(approval),
        }
    }

    /// The row as it is stored.
    pub(crate) fn load(connection: &Connection, id: &str) -> Result<Option<Self>, Fault> {
        let row = connection
            .prepare_cached(
                "SELECT id, job, project, title, state, requested_at, body FROM approvals WHERE id = ?1",
            )?
            .query_row([id], |row| {
                Ok(Self {
                    id: row.get(0)?,
                    job: row.get(1)?,
                    project: row.get(2)?,
                    title: row.get(3)?,
                    state: row.get(4)?,
                    requested_at: row.get(5)?,
                    body: row.get(6)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Stores it in place of what was there, unless that is another job's.
    pub(crate) fn write(&self, connection: &Connection) -> Result<(), Fault> {
        let written = connection
            .prepare_cached(
                "INSERT INTO approvals (id, job, project, title, state, requested_at, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (id) DO UPDATE SET project = excluded.project, title = excluded.title,
                    state = excluded.state, requested_at = excluded.requested_at, body = excluded.body
                 WHERE approvals.job = excluded.job",
            )?
            .execute(params![
                self.id,
                self.job,
                self.project,
                self.title,
                self.state,
                self.requested_at,
                self.body,
            ])?;
        if written == 1 {
            Ok(())
        } else {
            Err(Fault::corrupt(&self.id, "it belongs to another job"))
        }
    }
}
