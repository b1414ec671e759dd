//! Appending to the log and bringing the projections along.

use dogwatch_core::Timestamp;
use dogwatch_core::event::SealedEvent;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::{Job, JobEvent, JobStream, Refusal};
use dogwatch_core::server::{ServerEvent, ServerState};
use dogwatch_store::StoreError;
use rusqlite::{Connection, params};

use super::envelope::{Content, Letterhead, about};
use crate::fault::Fault;
use crate::load::Loaded;
use crate::project::{
    ApprovalEntry, JobRow, LeaseRow, ReadyRow, RunRow, ServerRow, TimerRow, integer, write_short_id,
};

/// Appends `events` to the stream of `job`, and moves `end` and the projections along with them.
pub(super) fn append(
    connection: &Connection,
    mut letterhead: Letterhead<'_>,
    job: JobId,
    end: &mut Loaded<JobStream>,
    events: Vec<JobEvent>,
) -> Result<Vec<SealedEvent>, Fault> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let now = letterhead.now;
    let before = end.state.job.clone();
    let mut sealed = Vec::with_capacity(events.len());
    for event in events {
        let about = about(&event, &end.state);
        let (kind, data) = event.clone().into_parts();
        let next = letterhead.seal(end.version, end.head, Content { kind, data, about })?;
        insert(connection, &next)?;
        end.state = std::mem::take(&mut end.state).apply(&event, now);
        end.version += 1;
        end.head = next.head;
        sealed.push(next);
    }
    // Checked before anything is projected under the wrong name; the caller's savepoint takes the events back.
    match &end.state.job {
        Some(after) if after.id == job => project(connection, end, before.as_ref(), after, now)?,
        Some(after) => {
            return Err(Fault::corrupt(
                format_args!("the decision on {job}"),
                format!("it submits {}", after.id),
            ));
        }
        None => return Err(StoreError::Refused(Refusal::NoSuchJob).into()),
    }
    Ok(sealed)
}

/// Appends `events` to the server's own stream, and moves `end` and its projection along with them.
pub(super) fn append_server(
    connection: &Connection,
    mut letterhead: Letterhead<'_>,
    end: &mut Loaded<ServerState>,
    events: Vec<ServerEvent>,
) -> Result<Vec<SealedEvent>, Fault> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let now = letterhead.now;
    let mut sealed = Vec::with_capacity(events.len());
    for event in events {
        let (kind, data) = event.clone().into_parts();
        let about = (None, None);
        let next = letterhead.seal(end.version, end.head, Content { kind, data, about })?;
        insert(connection, &next)?;
        end.state = std::mem::take(&mut end.state).apply(&event, now);
        end.version += 1;
        end.head = next.head;
        sealed.push(next);
    }
    ServerRow::of(&end.state, end.version, end.head).write(connection)?;
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
            envelope.project.map(|project| project.to_string()),
            envelope.job.map(|job| job.to_string()),
            envelope.run.map(|run| run.to_string()),
            event.line,
        ])?;
    Ok(())
}

/// Writes the rows of a job; of its runs and approvals only those that something happened to.
fn project(
    connection: &Connection,
    end: &Loaded<JobStream>,
    before: Option<&Job>,
    after: &Job,
    now: Timestamp,
) -> Result<(), Fault> {
    let row = JobRow::of(&end.state, after, end.version, end.head);
    row.write(connection)?;
    ReadyRow::write(ReadyRow::of(after).as_ref(), connection, &row.id, now)?;
    LeaseRow::write(LeaseRow::of(after).as_ref(), connection, &row.id)?;
    TimerRow::write(&TimerRow::of(after), connection, &row.id)?;
    if before.is_none() {
        write_short_id(connection, &row.id)?;
    }
    for header in &after.runs {
        let known = before.and_then(|job| job.run(header.id));
        if known != Some(header) {
            RunRow::of(after, header).write(connection)?;
        }
        if known.is_none() {
            write_short_id(connection, &header.id.to_string())?;
        }
    }
    for approval in &after.approvals {
        let known = before.and_then(|job| job.approval(approval.id));
        if known != Some(approval) {
            ApprovalEntry::of(after, approval).write(connection)?;
        }
        if known.is_none() {
            write_short_id(connection, &approval.id.to_string())?;
        }
    }
    Ok(())
}
