//! Requests that must not have their effect twice: the answer is kept in the transaction of the effect.

use std::time::Duration;

use dogwatch_core::Timestamp;
use dogwatch_core::ids::JobId;
use dogwatch_store::{Idempotency, StoreError, Updated};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;

use crate::fault::Fault;
use crate::load::load;

/// How long an answer is kept that is not about the making of a job.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How many answers that are past their time one update deletes: more than it can add, so that they do not pile up.
const SWEPT: u32 = 8;

const SWEEP: &str = "DELETE FROM idempotency WHERE (project, key) IN (
        SELECT project, key FROM idempotency WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";

/// How long an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// As long as the job that the request made.
    OfTheJob,
    /// Longer than anyone repeats a request.
    SevenDays,
}

/// The answer to a request that was carried out before, with the stream it changed as it stands now.
pub(super) fn replay(
    connection: &Connection,
    request: &Idempotency,
    now: Timestamp,
) -> Result<Option<Updated>, Fault> {
    let row: Option<(String, String, String)> = connection
        .prepare_cached(
            "SELECT request, job, reply FROM idempotency
             WHERE project = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
        )?
        .query_row(
            params![request.project.to_string(), request.key, now.as_micros()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((digest, job, reply)) = row else {
        return Ok(None);
    };
    if digest != request.request.to_string() {
        return Err(StoreError::IdempotencyConflict {
            key: request.key.clone(),
        }
        .into());
    }
    let corrupt =
        |reason: String| Fault::corrupt(format_args!("idempotency key `{}`", request.key), reason);
    // A caller that repeats a submission may have minted another id: the answer is about the job of the first one.
    let job: JobId = job
        .parse()
        .map_err(|error: dogwatch_core::ids::ParseIdError| corrupt(error.to_string()))?;
    Ok(Some(Updated {
        stream: load(connection, job)?.state,
        events: Vec::new(),
        reply: serde_json::from_str(&reply).map_err(|error| corrupt(error.to_string()))?,
        replayed: true,
    }))
}

/// Keeps the answer, in place of one under the same key that is past its time.
pub(super) fn keep(
    connection: &Connection,
    request: &Idempotency,
    job: JobId,
    reply: &Value,
    life: Life,
    now: Timestamp,
) -> Result<(), Fault> {
    let expires_at = match life {
        Life::OfTheJob => None,
        Life::SevenDays => Some(now.plus(KEPT).as_micros()),
    };
    connection
        .prepare_cached(SWEEP)?
        .execute(params![now.as_micros(), SWEPT])?;
    connection
        .prepare_cached(
            "INSERT INTO idempotency (project, key, request, job, reply, at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (project, key) DO UPDATE SET request = excluded.request, job = excluded.job,
                reply = excluded.reply, at = excluded.at, expires_at = excluded.expires_at
             WHERE idempotency.expires_at <= excluded.at",
        )?
        .execute(params![
            request.project.to_string(),
            request.key,
            request.request.to_string(),
            job.to_string(),
            reply.to_string(),
            now.as_micros(),
            expires_at,
        ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_past_its_time_is_looked_at_and_deleted() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migrate::run(&mut connection, std::path::Path::new("x")).unwrap();
        connection
            .execute_batch(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                 INSERT INTO idempotency SELECT 'prj', printf('%d', i), '', 'job', 'null', 0, iif(i % 2, NULL, i) FROM n",
            )
            .unwrap();
        let plan: Vec<String> = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {SWEEP}"))
            .unwrap()
            .query_map(params![5, 5], |row| row.get("detail"))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let plan = plan.join("; ");
        assert!(plan.contains("idempotency_by_expiry"), "{plan}");
        assert!(!plan.contains("SCAN idempotency"), "{plan}");

        let mut sweep = connection.prepare(SWEEP).unwrap();
        assert_eq!(sweep.execute(params![1000, SWEPT]).unwrap(), 8);
        assert_eq!(sweep.execute(params![20, SWEPT]).unwrap(), 2);
        assert_eq!(sweep.execute(params![20, SWEPT]).unwrap(), 0);
    }
}
