//! Folding stored lines, from the first one on, trusting nothing but the lines.

use dogwatch_core::event::{Envelope, StreamId};
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{JobEvent, JobStream};
use dogwatch_core::server::{ServerEvent, ServerState};
use dogwatch_store::RunLog;
use rusqlite::Connection;

use crate::fault::Fault;
use crate::load::Loaded;

/// The stream of a job, as its log makes it.
pub(super) fn job(connection: &Connection, job: JobId) -> Result<Loaded<JobStream>, Fault> {
    fold(connection, StreamId::Job(job), |state: JobStream, line| {
        let event = JobEvent::from_parts(&line.kind, &line.data)?;
        Ok(state.apply(&event, line.at))
    })
}

/// The server's own stream, as its log makes it.
pub(super) fn server(connection: &Connection) -> Result<Loaded<ServerState>, Fault> {
    fold(connection, StreamId::Server, |state: ServerState, line| {
        let event = ServerEvent::from_parts(&line.kind, &line.data)?;
        Ok(state.apply(&event, line.at))
    })
}

fn fold<S: Default>(
    connection: &Connection,
    stream: StreamId,
    apply: impl Fn(S, &Envelope) -> Result<S, serde_json::Error>,
) -> Result<Loaded<S>, Fault> {
    let mut end = Loaded::empty(stream);
    let mut statement =
        connection.prepare_cached("SELECT seq, line FROM events WHERE stream = ?1 ORDER BY seq")?;
    let mut rows = statement.query([stream.to_string()])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let line: Vec<u8> = row.get(1)?;
        let corrupt =
            |reason: String| Fault::corrupt(format_args!("line {seq} of {stream}"), reason);
        let envelope = follow(&end, stream, &line).map_err(corrupt)?;
        end = Loaded {
            state: apply(end.state, &envelope)
                .map_err(|error| corrupt(format!("{}: {error}", envelope.kind)))?,
            version: envelope.seq,
            head: stream.link(envelope.seq, &line),
        };
    }
    Ok(end)
}

/// The line that follows `end`, if this is it.
fn follow<S>(end: &Loaded<S>, stream: StreamId, line: &[u8]) -> Result<Envelope, String> {
    let envelope: Envelope = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if envelope.stream != stream {
        return Err(format!("it belongs to {}", envelope.stream));
    }
    if envelope.seq != end.version + 1 {
        return Err(format!(
            "it claims to be line {}, after line {}",
            envelope.seq, end.version
        ));
    }
    if envelope.prev != end.head {
        return Err("it does not link to the line before it".to_owned());
    }
    Ok(envelope)
}

/// The journal of a run, as its lines make it.
pub(super) fn journal(connection: &Connection, run: RunId) -> Result<RunLog, Fault> {
    let mut log = RunLog::empty(run);
    let mut statement =
        connection.prepare_cached("SELECT seq, line FROM run_lines WHERE run = ?1 ORDER BY seq")?;
    let mut rows = statement.query([run.to_string()])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let line: Vec<u8> = row.get(1)?;
        log.push(&line)
            .map_err(|error| Fault::corrupt(format_args!("line {seq} of {run}"), error))?;
    }
    Ok(log)
}
