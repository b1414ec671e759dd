//! Loading a stream to decide on it: the projection has to be the one that its log makes, or nothing is decided.

use dogwatch_core::Sha256Digest;
use dogwatch_core::event::StreamId;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::JobStream;
use dogwatch_core::server::ServerState;
use rusqlite::{Connection, OptionalExtension as _};

use crate::fault::Fault;
use crate::project::{JobRow, ServerRow};

/// A stream as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Loaded<S> {
    pub(crate) state: S,
    /// The position of its last event.
    pub(crate) version: u64,
    /// The link that the next event carries.
    pub(crate) head: Sha256Digest,
}

impl<S: Default> Loaded<S> {
    /// A stream without events.
    pub(crate) fn empty(stream: StreamId) -> Self {
        Self {
            state: S::default(),
            version: 0,
            head: stream.genesis(),
        }
    }
}

/// Loads the stream of a job; an empty one only where the log has no event of it.
pub(crate) fn load(connection: &Connection, job: JobId) -> Result<Loaded<JobStream>, Fault> {
    let stream = StreamId::Job(job);
    let id = job.to_string();
    let Some(row) = JobRow::load(connection, &id)? else {
        return unlogged(connection, stream);
    };
    let (version, head) = log_end(connection, stream, row.version, &row.head)?;
    Ok(Loaded {
        state: parse_state(&id, &row.state)?,
        version,
        head,
    })
}

/// Loads the server's own stream.
pub(crate) fn load_server(connection: &Connection) -> Result<Loaded<ServerState>, Fault> {
    let stream = StreamId::Server;
    let Some(row) = ServerRow::load(connection)? else {
        return unlogged(connection, stream);
    };
    let (version, head) = log_end(connection, stream, row.version, &row.head)?;
    Ok(Loaded {
        state: parse_server(&row.state)?,
        version,
        head,
    })
}

/// A stream without a projection, which must not have a log either.
fn unlogged<S: Default>(connection: &Connection, stream: StreamId) -> Result<Loaded<S>, Fault> {
    match last_line(connection, stream)? {
        None => Ok(Loaded::empty(stream)),
        Some((seq, _)) => Err(Fault::corrupt(
            stream,
            format!("its log has {seq} events and its projection is missing"),
        )),
    }
}

/// The end of a stream's log, which has to be where its projection says.
fn log_end(
    connection: &Connection,
    stream: StreamId,
    version: i64,
    head: &str,
) -> Result<(u64, Sha256Digest), Fault> {
    let Some((seq, line)) = last_line(connection, stream)? else {
        return Err(Fault::corrupt(
            stream,
            format!("its projection is at event {version} and its log is empty"),
        ));
    };
    let end = u64::try_from(seq).map_err(|error| Fault::corrupt(stream, error))?;
    let link = stream.link(end, &line);
    if version == seq && head == link.to_string() {
        Ok((end, link))
    } else {
        Err(Fault::corrupt(
            stream,
            format!("its projection (event {version}) does not follow from its last event ({seq})"),
        ))
    }
}

fn last_line(connection: &Connection, stream: StreamId) -> Result<Option<(i64, Vec<u8>)>, Fault> {
    let last = connection
        .prepare_cached("SELECT seq, line FROM events WHERE stream = ?1 ORDER BY seq DESC LIMIT 1")?
        .query_row([stream.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(last)
}

/// The state in a projection of a job.
pub(crate) fn parse_state(id: &str, state: &str) -> Result<JobStream, Fault> {
    let stream: JobStream =
        serde_json::from_str(state).map_err(|error| Fault::corrupt(id, error))?;
    match &stream.job {
        Some(job) if job.id.to_string() == id => Ok(stream),
        Some(job) => Err(Fault::corrupt(id, format!("its row holds {}", job.id))),
        None => Err(Fault::corrupt(id, "its row holds no job")),
    }
}

/// The state in the projection of the server.
pub(crate) fn parse_server(state: &str) -> Result<ServerState, Fault> {
    serde_json::from_str(state).map_err(|error| Fault::corrupt(StreamId::Server, error))
}
