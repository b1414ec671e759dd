//! One update: replay or decide, append, project, and what rides along.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dogwatch_core::ids::{EventId, JobId, uuid_v7};
use dogwatch_core::job::JobEvent;
use dogwatch_core::{Clock, Entropy, Timestamp};
use dogwatch_store::{Decision, JobFilter, StoreError, Update, Updated};
use rusqlite::Connection;

use super::append::append;
use super::envelope::Letterhead;
use super::{idempotency, ready, side};
use crate::fault::Fault;
use crate::load::{Loaded, load};

/// Where instants and ids come from.
#[derive(Clone, Debug)]
pub(crate) struct Mint {
    /// The instants.
    pub(crate) clock: Arc<dyn Clock>,
    /// The random part of ids.
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Mint {
    /// What the clock says. It may say less than before: the order of a stream is its `seq`.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn event(&self, at: Timestamp) -> EventId {
        EventId::from_uuid(uuid_v7(at, &self.entropy.bytes()))
    }
}

/// Updates the stream of `job`.
pub(super) fn update(
    connection: &Connection,
    mint: &Mint,
    job: JobId,
    update: &Update,
) -> Result<Updated, Fault> {
    match replayed(connection, update)? {
        Some(answer) => Ok(answer),
        None => carry_out(connection, mint, job, update, mint.now()),
    }
}

/// Updates the stream of the job that is next in the ready index.
pub(super) fn update_next_ready(
    connection: &Connection,
    mint: &Mint,
    filter: &JobFilter,
    update: &Update,
) -> Result<Option<Updated>, Fault> {
    if let Some(answer) = replayed(connection, update)? {
        return Ok(Some(answer));
    }
    let now = mint.now();
    match ready::next(connection, filter, now)? {
        Some(job) => carry_out(connection, mint, job, update, now).map(Some),
        None => Ok(None),
    }
}

fn replayed(connection: &Connection, update: &Update) -> Result<Option<Updated>, Fault> {
    match &update.idempotency {
        Some(request) => idempotency::replay(connection, request),
        None => Ok(None),
    }
}

fn carry_out(
    connection: &Connection,
    mint: &Mint,
    job: JobId,
    update: &Update,
    now: Timestamp,
) -> Result<Updated, Fault> {
    let mut end = load(connection, job)?;
    let Decision { events, reply } = decide(update, &end, now)?;
    let submitted = events.iter().find_map(|event| match event {
        JobEvent::Submitted(facts) => Some(facts.project),
        _ => None,
    });
    let letterhead = Letterhead {
        mint,
        context: &update.context,
        job,
        // A stream belongs to one project from its first event on, whoever updates it.
        project: match &end.stream.job {
            Some(job) => job.project,
            None => submitted.unwrap_or(update.project),
        },
        now,
        first: None,
    };
    let events = append(connection, letterhead, &mut end, events)?;
    side::write(connection, job, &update.side)?;
    if let Some(request) = &update.idempotency {
        idempotency::keep(connection, request, job, &reply, now)?;
    }
    Ok(Updated {
        stream: end.stream,
        events,
        reply,
        replayed: false,
    })
}

/// Runs the closure. One that panics is one request's fault, and must not take the writer with it.
fn decide(update: &Update, end: &Loaded, now: Timestamp) -> Result<Decision, Fault> {
    catch_unwind(AssertUnwindSafe(|| (update.decide)(&end.stream, now)))
        .map_err(|panic| StoreError::Unavailable {
            reason: format!("the decision panicked: {}", panic_text(panic.as_ref())),
        })?
        .map_err(|refusal| Fault::Store(refusal.into()))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
