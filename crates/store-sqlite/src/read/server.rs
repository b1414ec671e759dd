//! The server's own stream, and what runners said.

use dogwatch_core::event::StreamId;
use dogwatch_core::server::ServerState;
use dogwatch_store::RunnerRow;
use rusqlite::Connection;

use crate::fault::Fault;
use crate::load::parse_server;
use crate::project::ServerRow;

/// The server's own stream, folded.
pub(crate) fn server_state(connection: &Connection) -> Result<ServerState, Fault> {
    if let Some(row) = ServerRow::load(connection)? {
        return parse_server(&row.state);
    }
    // A state that is gone would be one without tokens, and so without those that were revoked.
    let logged = connection
        .prepare_cached("SELECT 1 FROM events WHERE stream = ?1")?
        .exists([StreamId::Server.to_string()])?;
    if logged {
        Err(Fault::corrupt(
            StreamId::Server,
            "its projection is missing",
        ))
    } else {
        Ok(ServerState::default())
    }
}

/// What each runner said last.
pub(crate) fn runners(connection: &Connection) -> Result<Vec<RunnerRow>, Fault> {
    let rows = connection
        .prepare_cached("SELECT machine, bytes FROM runners ORDER BY machine")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, Vec<u8>)>, _>>()?;
    rows.into_iter()
        .map(|(machine, bytes)| {
            let machine = machine
                .parse()
                .map_err(|error| Fault::corrupt(format_args!("runner `{machine}`"), error))?;
            Ok(RunnerRow { machine, bytes })
        })
        .collect()
}
