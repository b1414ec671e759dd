//! One update: replay or decide, append, project, and what rides along.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dogwatch_core::event::StreamId;
use dogwatch_core::ids::{EventId, JobId, uuid_v7};
use dogwatch_core::job::{JobEvent, Refusal};
use dogwatch_core::queue::Offer;
use dogwatch_core::{Clock, Entropy, Timestamp};
use dogwatch_store::{Decision, ServerUpdate, ServerUpdated, StoreError, Update, Updated};
use rusqlite::Connection;

use super::append::{append, append_server};
use super::envelope::Letterhead;
use super::ready::Candidates;
use super::{idempotency, side};
use crate::fault::Fault;
use crate::load::{load, load_server};

/// The most jobs that one claim asks the decision about: each is loaded and decided on while everyone else waits for the writer.
const MAX_CANDIDATES: usize = 256;

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
    let now = mint.now();
    match replayed(connection, update, now)? {
        Some(answer) => Ok(answer),
        None => carry_out(connection, mint, job, update, now),
    }
}

/// Updates the stream of the first job in the ready index that the decision takes for this offer.
pub(super) fn update_next_ready(
    connection: &Connection,
    mint: &Mint,
    offer: &Offer,
    update: &Update,
) -> Result<Option<Updated>, Fault> {
    let now = mint.now();
    if let Some(answer) = replayed(connection, update, now)? {
        return Ok(Some(answer));
    }
    let mut candidates = Candidates::of(connection, offer, now)?;
    for _ in 0..MAX_CANDIDATES {
        let Some(job) = candidates.next()? else {
            return Ok(None);
        };
        match carry_out(connection, mint, job, update, now) {
            Err(Fault::Store(StoreError::Refused(refusal))) if is_about_this_one(&refusal) => {}
            answer => return answer.map(Some),
        }
    }
    tracing::warn!(machine = %offer.machine, "the first {MAX_CANDIDATES} ready jobs are not for this machine");
    Ok(None)
}

/// Whether a refusal of one job says nothing about the job after it.
const fn is_about_this_one(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Unmet(_) | Refusal::NotYet(_) | Refusal::BackingOff(_) | Refusal::Policy
    )
}

/// Updates the server's own stream.
pub(super) fn update_server(
    connection: &Connection,
    mint: &Mint,
    update: &ServerUpdate,
) -> Result<ServerUpdated, Fault> {
    let now = mint.now();
    let mut end = load_server(connection)?;
    let events = guarded(|| (update.decide)(&end.state, now))?
        .map_err(|refusal| Fault::Store(refusal.into()))?;
    let letterhead = Letterhead {
        mint,
        context: &update.context,
        stream: StreamId::Server,
        project: None,
        now,
        first: None,
    };
    let events = append_server(connection, letterhead, &mut end, events)?;
    if let Some((machine, bytes)) = &update.runner
        && !events.is_empty()
    {
        side::runner(connection, *machine, bytes)?;
    }
    Ok(ServerUpdated {
        state: end.state,
        events,
    })
}

fn replayed(
    connection: &Connection,
    update: &Update,
    now: Timestamp,
) -> Result<Option<Updated>, Fault> {
    match &update.idempotency {
        Some(request) => idempotency::replay(connection, request, now),
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
    let Decision { events, reply } = guarded(|| (update.decide)(&end.state, now))?
        .map_err(|refusal| Fault::Store(refusal.into()))?;
    let submitted = events.iter().find_map(|event| match event {
        JobEvent::Submitted(facts) => Some(facts.project),
        _ => None,
    });
    let letterhead = Letterhead {
        mint,
        context: &update.context,
        stream: StreamId::Job(job),
        // A stream belongs to one project from its first event on, whoever updates it.
        project: Some(match &end.state.job {
            Some(job) => job.project,
            None => submitted.unwrap_or(update.project),
        }),
        now,
        first: None,
    };
    let events = append(connection, letterhead, job, &mut end, events)?;
    side::write(connection, job, &update.side)?;
    if let Some(request) = &update.idempotency {
        let life = match submitted {
            Some(_) => idempotency::Life::OfTheJob,
            None => idempotency::Life::SevenDays,
        };
        idempotency::keep(connection, request, job, &reply, life, now)?;
    }
    Ok(Updated {
        stream: end.state,
        events,
        reply,
        replayed: false,
    })
}

/// Runs a closure of the caller's. One that panics is one request's fault, and must not take the writer with it.
fn guarded<T>(decide: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(decide)).map_err(|panic| {
        Fault::Store(StoreError::Unavailable {
            reason: format!("the decision panicked: {}", panic_text(panic.as_ref())),
        })
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
