//! Leases that are held, and how often each was renewed.

use dogwatch_core::ids::{JobId, LeaseId};
use dogwatch_core::job::Lease;
use rusqlite::{Connection, OptionalExtension as _};

use crate::fault::Fault;

/// Every active lease with its job.
pub(crate) fn active_leases(connection: &Connection) -> Result<Vec<(JobId, Lease)>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT job, body FROM active_leases ORDER BY job")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, String)>, _>>()?;
    rows.into_iter()
        .map(|(job, body)| {
            let lease = serde_json::from_str(&body).map_err(|error| Fault::corrupt(&job, error))?;
            let id = job.parse().map_err(|error| Fault::corrupt(&job, error))?;
            Ok((id, lease))
        })
        .collect()
}

/// How often a lease was renewed.
pub(crate) fn renewals(connection: &Connection, lease: LeaseId) -> Result<u64, Fault> {
    let count: Option<i64> = connection
        .prepare_cached("SELECT count FROM renewals WHERE lease = ?1")?
        .query_row([lease.to_string()], |row| row.get(0))
        .optional()?;
    u64::try_from(count.unwrap_or(0)).map_err(|error| Fault::corrupt(lease, error))
}
