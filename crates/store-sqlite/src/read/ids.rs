//! Finding things by a part of their id.

use rusqlite::{Connection, params};

use crate::fault::Fault;

/// The fewest last digits that name something; fewer would match by accident.
const MIN_SUFFIX: usize = 4;

/// The ids of jobs, runs and approvals that start with `text`, or whose last digits are `text`.
pub(crate) fn find_ids(
    connection: &Connection,
    text: &str,
    limit: u32,
) -> Result<Vec<String>, Fault> {
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let (sql, from) = match text.split_once('_') {
        Some(("job", digits)) if is_hex(digits) => (
            "SELECT id FROM jobs WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
            text.to_owned(),
        ),
        Some(("run", digits)) if is_hex(digits) => (
            "SELECT id FROM runs WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
            text.to_owned(),
        ),
        Some(("apr", digits)) if is_hex(digits) => (
            "SELECT id FROM approvals WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
            text.to_owned(),
        ),
        None if text.len() >= MIN_SUFFIX && is_hex(text) => (
            "SELECT id FROM short_ids WHERE reversed >= ?1 AND reversed < ?2 ORDER BY reversed, id LIMIT ?3",
            text.chars().rev().collect(),
        ),
        Some(_) | None => return Ok(Vec::new()),
    };
    // `~` sorts after every digit.
    let until = format!("{from}~");
    let ids = connection
        .prepare_cached(sql)?
        .query_map(params![from, until, limit], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    Ok(ids)
}
