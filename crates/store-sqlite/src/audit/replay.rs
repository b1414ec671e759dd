//! Folding stored lines, from the first one on, trusting nothing but the lines.

use dogwatch_core::event::{Envelope, StreamId};
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{JobEvent, JobStream};
use dogwatch_store::RunLog;
use rusqlite::Connection;

use crate::fault::Fault;
use crate::load::Loaded;

/// The stream of a job, as its log makes it.
pub(super) fn stream(connection: &Connection, job: JobId) -> Result<Loaded, Fault> {
    let mut end = Loaded {
        stream: JobStream::default(),
        version: 0,
        head: StreamId::Job(job).genesis(),
    };
    let mut statement =
        connection.prepare_cached("SELECT seq, line FROM events WHERE stream = ?1 ORDER BY seq")?;
    let mut rows = statement.query([job.to_string()])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let line: Vec<u8> = row.get(1)?;
        push(&mut end, job, &line)
            .map_err(|reason| Fault::corrupt(format_args!("line {seq} of {job}"), reason))?;
    }
    Ok(end)
}

fn push(end: &mut Loaded, job: JobId, line: &[u8]) -> Result<(), String> {
    let envelope: Envelope = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let stream = StreamId::Job(job);
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
    let event = JobEvent::from_parts(&envelope.kind, &envelope.data)
        .map_err(|error| format!("{}: {error}", envelope.kind))?;
    end.stream = std::mem::take(&mut end.stream).apply(&event, envelope.at);
    end.version = envelope.seq;
    end.head = stream.link(envelope.seq, line);
    Ok(())
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
