//! Appending to the log and bringing the projections along.

use std::collections::BTreeSet;

use dogwatch_core::Timestamp;
use dogwatch_core::event::SealedEvent;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::{JobEvent, Refusal};
use dogwatch_store::StoreError;
use rusqlite::{Connection, params};

use super::envelope::Letterhead;
use crate::fault::Fault;
use crate::load::Loaded;
use crate::project::{JobRow, LeaseRow, ReadyRow, RunRow, integer, write_short_id};

/// Appends `events` to the stream that ends at `end`, and moves `end` and the projections along with them.
pub(super) fn append(
    connection: &Connection,
    mut letterhead: Letterhead<'_>,
    end: &mut Loaded,
    events: Vec<JobEvent>,
) -> Result<Vec<SealedEvent>, Fault> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let now = letterhead.now;
    let new = end.version == 0;
    let mut runs = BTreeSet::new();
    let mut created = BTreeSet::new();
    let mut sealed = Vec::with_capacity(events.len());
    for event in events {
        match &event {
            JobEvent::RunCreated { run } => {
                runs.insert(run.id);
                created.insert(run.id);
            }
            JobEvent::RunClosed { run, .. } | JobEvent::RunCleanedUp { run, .. } => {
                runs.insert(*run);
            }
            _ => {}
        }
        let next = letterhead.seal(end, event.clone())?;
        insert(connection, &next)?;
        end.stream = std::mem::take(&mut end.stream).apply(&event, now);
        end.version += 1;
        end.head = next.head;
        sealed.push(next);
    }
    // Checked before anything is projected under the wrong name; the caller's savepoint takes the events back.
    match &end.stream.job {
        Some(job) if job.id == letterhead.job => {}
        Some(job) => {
            return Err(Fault::corrupt(
                format_args!("the decision on {}", letterhead.job),
                format!("it submits {}", job.id),
            ));
        }
        None => return Err(StoreError::Refused(Refusal::NoSuchJob).into()),
    }
    project(connection, end, &runs, now)?;
    if new {
        write_short_id(connection, &letterhead.job.to_string())?;
    }
    for run in created {
        write_short_id(connection, &run.to_string())?;
    }
    Ok(sealed)
}

fn insert(connection: &Connection, event: &SealedEvent) -> Result<(), Fault> {
    let envelope = &event.envelope;
    connection
        .prepare_cached(
            "INSERT INTO events (stream, seq, id, kind, at, project, job, run, line)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            envelope.stream.to_string(),
            integer(envelope.seq),
            envelope.id.to_string(),
            envelope.kind,
            envelope.at.as_micros(),
            envelope.project.to_string(),
            envelope.job.map(|job| job.to_string()),
            envelope.run.map(|run| run.to_string()),
            event.line,
        ])?;
    Ok(())
}

/// Writes the rows of a stream; of its runs only those that something happened to.
fn project(
    connection: &Connection,
    end: &Loaded,
    runs: &BTreeSet<RunId>,
    now: Timestamp,
) -> Result<(), Fault> {
    let Some(job) = &end.stream.job else {
        return Ok(());
    };
    let row = JobRow::of(&end.stream, job, end.version, end.head);
    row.write(connection)?;
    ReadyRow::write(ReadyRow::of(job).as_ref(), connection, &row.id, now)?;
    LeaseRow::write(LeaseRow::of(job).as_ref(), connection, &row.id)?;
    for header in job.runs.iter().filter(|header| runs.contains(&header.id)) {
        RunRow::of(job, header).write(connection)?;
    }
    Ok(())
}
