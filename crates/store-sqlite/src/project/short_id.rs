//! The index of last digits.

use rusqlite::{Connection, params};

use crate::fault::Fault;

/// The digits of an id, back to front.
pub(crate) fn reversed(id: &str) -> String {
    id.rsplit('_').next().unwrap_or(id).chars().rev().collect()
}

/// Makes an id findable by its last digits.
pub(crate) fn write_short_id(connection: &Connection, id: &str) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO short_ids (reversed, id) VALUES (?1, ?2)")?
        .execute(params![reversed(id), id])?;
    Ok(())
}

/// Whether an id cannot be found by its last digits.
pub(crate) fn short_id_missing(connection: &Connection, id: &str) -> Result<bool, Fault> {
    let found = connection
        .prepare_cached("SELECT 1 FROM short_ids WHERE reversed = ?1 AND id = ?2")?
        .exists(params![reversed(id), id])?;
    Ok(!found)
}
