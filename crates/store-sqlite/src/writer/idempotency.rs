//! Requests that must not have their effect twice: the answer is kept in the transaction of the effect.

use dogwatch_core::Timestamp;
use dogwatch_core::ids::JobId;
use dogwatch_store::{Idempotency, StoreError, Updated};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;

use crate::fault::Fault;
use crate::load::load;

/// The answer to a request that was carried out before, with the stream it changed as it stands now.
pub(super) fn replay(
    connection: &Connection,
    request: &Idempotency,
) -> Result<Option<Updated>, Fault> {
    let row: Option<(String, String, String)> = connection
        .prepare_cached(
            "SELECT request, job, reply FROM idempotency WHERE project = ?1 AND key = ?2",
        )?
        .query_row(params![request.project.to_string(), request.key], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
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
        stream: load(connection, job)?.stream,
        events: Vec::new(),
        reply: serde_json::from_str(&reply).map_err(|error| corrupt(error.to_string()))?,
        replayed: true,
    }))
}

/// Keeps the answer.
pub(super) fn keep(
    connection: &Connection,
    request: &Idempotency,
    job: JobId,
    reply: &Value,
    now: Timestamp,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO idempotency (project, key, request, job, reply, at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)",
        )?
        .execute(params![
            request.project.to_string(),
            request.key,
            request.request.to_string(),
            job.to_string(),
            reply.to_string(),
            now.as_micros(),
        ])?;
    Ok(())
}
