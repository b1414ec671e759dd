//! The projection of the server's own stream.

use dogwatch_core::Sha256Digest;
use dogwatch_core::event::StreamId;
use dogwatch_core::server::ServerState;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{integer, json};
use crate::fault::Fault;

/// The row of `server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerRow {
    pub(crate) version: i64,
    pub(crate) head: String,
    pub(crate) state: String,
}

impl ServerRow {
    /// What a stream that ends at `version` with `head` projects to.
    pub(crate) fn of(state: &ServerState, version: u64, head: Sha256Digest) -> Self {
        Self {
            version: integer(version),
            head: head.to_string(),
            state: json(state),
        }
    }

    /// The row as it is stored.
    pub(crate) fn load(connection: &Connection) -> Result<Option<Self>, Fault> {
        let row = connection
            .prepare_cached("SELECT version, head, state FROM server")?
            .query_row([], |row| {
                Ok(Self {
                    version: row.get(0)?,
                    head: row.get(1)?,
                    state: row.get(2)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Stores it in place of what was there.
    pub(crate) fn write(&self, connection: &Connection) -> Result<(), Fault> {
        connection
            .prepare_cached(
                "INSERT INTO server (id, version, head, state) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET version = excluded.version, head = excluded.head, state = excluded.state",
            )?
            .execute(params![
                StreamId::Server.to_string(),
                self.version,
                self.head,
                self.state
            ])?;
        Ok(())
    }
}
