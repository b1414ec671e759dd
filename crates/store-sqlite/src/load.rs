//! Loading a stream to decide on it: the projection has to be the one that its log makes, or nothing is decided.

use dogwatch_core::Sha256Digest;
use dogwatch_core::event::StreamId;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::JobStream;
use rusqlite::{Connection, OptionalExtension as _};

use crate::fault::Fault;
use crate::project::JobRow;

/// A stream as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) stream: JobStream,
    /// The position of its last event.
    pub(crate) version: u64,
    /// The link that the next event carries.
    pub(crate) head: Sha256Digest,
}

/// Loads the stream of a job; an empty one only where the log has no event of it.
pub(crate) fn load(connection: &Connection, job: JobId) -> Result<Loaded, Fault> {
    let id = job.to_string();
    let last: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT seq, line FROM events WHERE stream = ?1 ORDER BY seq DESC LIMIT 1")?
        .query_row([&id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (row, (seq, line)) = match (JobRow::load(connection, &id)?, last) {
        (None, None) => {
            return Ok(Loaded {
                stream: JobStream::default(),
                version: 0,
                head: StreamId::Job(job).genesis(),
            });
        }
        (Some(row), Some(last)) => (row, last),
        (None, Some((seq, _))) => {
            return Err(Fault::corrupt(
                &id,
                format!("its log has {seq} events and its projection is missing"),
            ));
        }
        (Some(row), None) => {
            return Err(Fault::corrupt(
                &id,
                format!(
                    "its projection is at event {} and its log is empty",
                    row.version
                ),
            ));
        }
    };
    let version = u64::try_from(seq).map_err(|error| Fault::corrupt(&id, error))?;
    let head = StreamId::Job(job).link(version, &line);
    if row.version != seq || row.head != head.to_string() {
        return Err(Fault::corrupt(
            &id,
            format!(
                "its projection (event {}) does not follow from its last event ({seq})",
                row.version
            ),
        ));
    }
    Ok(Loaded {
        stream: parse_state(&id, &row.state)?,
        version,
        head,
    })
}

/// The state in a projection.
pub(crate) fn parse_state(id: &str, state: &str) -> Result<JobStream, Fault> {
    let stream: JobStream =
        serde_json::from_str(state).map_err(|error| Fault::corrupt(id, error))?;
    match &stream.job {
        Some(job) if job.id.to_string() == id => Ok(stream),
        Some(job) => Err(Fault::corrupt(id, format!("its row holds {}", job.id))),
        None => Err(Fault::corrupt(id, "its row holds no job")),
    }
}
