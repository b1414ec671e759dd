//! Stored bytes, exactly as they were hashed.

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_store::StoredLine;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use crate::fault::Fault;
use crate::project::integer;

/// The lines of a job's control stream after `after`.
pub(crate) fn events(
    connection: &Connection,
    job: JobId,
    after: u64,
    limit: u32,
) -> Result<Vec<StoredLine>, Fault> {
    lines(
        connection.prepare_cached(
            "SELECT seq, line FROM events WHERE stream = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?,
        &job.to_string(),
        after,
        limit,
    )
}

/// The lines of a run's journal after `after`.
pub(crate) fn run_lines(
    connection: &Connection,
    run: RunId,
    after: u64,
    limit: u32,
) -> Result<Vec<StoredLine>, Fault> {
    lines(
        connection.prepare_cached(
            "SELECT seq, line FROM run_lines WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?,
        &run.to_string(),
        after,
        limit,
    )
}

/// The bytes of a contract.
pub(crate) fn contract(
    connection: &Connection,
    hash: Sha256Digest,
) -> Result<Option<Vec<u8>>, Fault> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT bytes FROM contracts WHERE hash = ?1")?
        .query_row([hash.to_string()], |row| row.get(0))
        .optional()?;
    match bytes {
        Some(bytes) if Sha256Digest::of(&bytes) != hash => Err(Fault::corrupt(
            format_args!("contract {hash}"),
            format!("its bytes hash to {}", Sha256Digest::of(&bytes)),
        )),
        bytes => Ok(bytes),
    }
}

fn lines(
    mut statement: CachedStatement<'_>,
    stream: &str,
    after: u64,
    limit: u32,
) -> Result<Vec<StoredLine>, Fault> {
    let rows = statement
        .query_map(params![stream, integer(after), limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<Vec<(i64, Vec<u8>)>, _>>()?;
    let mut lines = Vec::with_capacity(rows.len());
    for (position, (seq, line)) in rows.into_iter().enumerate() {
        let seq = u64::try_from(seq).map_err(|error| Fault::corrupt(stream, error))?;
        // A hole in the middle would look like a short stream to whoever follows it.
        let expected = after.saturating_add(position as u64 + 1);
        if seq != expected {
            return Err(Fault::corrupt(
                stream,
                format!("line {expected} is missing"),
            ));
        }
        lines.push(StoredLine { seq, line });
    }
    Ok(lines)
}
