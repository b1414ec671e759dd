//! The active lease of a job.

use dogwatch_core::job::Job;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::json;
use crate::fault::Fault;

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
