//! What the writer is asked, and what becomes of it.

use dogwatch_core::ids::JobId;
use dogwatch_core::queue::Offer;
use dogwatch_store::{RebuildReport, ServerUpdate, ServerUpdated, StoreError, Update, Updated};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::update::{self, Mint};
use crate::audit;
use crate::fault::Fault;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A request to the writer.
#[derive(Debug)]
pub(crate) enum Request {
    /// Update one stream.
    Update {
        job: JobId,
        update: Update,
        reply: Reply<Updated>,
    },
    /// Update the stream of the first ready job that the decision takes.
    NextReady {
        offer: Offer,
        update: Update,
        reply: Reply<Option<Updated>>,
    },
    /// Update the server's own stream.
    Server {
        update: ServerUpdate,
        reply: Reply<ServerUpdated>,
    },
    /// Replace the projections by a replay.
    Rebuild { reply: Reply<RebuildReport> },
}

impl Request {
    /// Carries it out inside an open transaction.
    pub(super) fn run(self, connection: &Connection, mint: &Mint) -> Outcome {
        match self {
            Self::Update { job, update, reply } => {
                Outcome::of(update::update(connection, mint, job, &update), reply)
            }
            Self::NextReady {
                offer,
                update,
                reply,
            } => Outcome::of(
                update::update_next_ready(connection, mint, &offer, &update),
                reply,
            ),
            Self::Server { update, reply } => {
                Outcome::of(update::update_server(connection, mint, &update), reply)
            }
            Self::Rebuild { reply } => Outcome::of(audit::rebuild(connection, mint.now()), reply),
        }
    }

    /// Answers without carrying it out.
    pub(super) fn refuse(self, reason: &str) {
        let error = StoreError::Unavailable {
            reason: reason.to_owned(),
        };
        // A caller that went away needs no answer.
        match self {
            Self::Update { reply, .. } => drop(reply.send(Err(error))),
            Self::NextReady { reply, .. } => drop(reply.send(Err(error))),
            Self::Server { reply, .. } => drop(reply.send(Err(error))),
            Self::Rebuild { reply } => drop(reply.send(Err(error))),
        }
    }
}

/// Answers, given whether the transaction was committed and if not, why.
type Answer = Box<dyn FnOnce(Result<(), &str>) + Send>;

/// A request that was carried out and waits for the commit.
pub(super) struct Outcome {
    /// Whether what it wrote stays.
    pub(super) keep: bool,
    /// Why nothing may be written any more.
    pub(super) fatal: Option<String>,
    answer: Answer,
}

impl Outcome {
    fn of<T: Send + 'static>(result: Result<T, Fault>, reply: Reply<T>) -> Self {
        let fatal = match &result {
            Err(fault @ Fault::Sqlite(error)) if fault.is_fatal() => Some(error.to_string()),
            _ => None,
        };
        Self {
            keep: result.is_ok(),
            fatal,
            answer: Box::new(move |committed| {
                let answer = match committed {
                    Ok(()) => result.map_err(StoreError::from),
                    // Also a refusal: what it was based on may not have been written.
                    Err(reason) => Err(StoreError::Unavailable {
                        reason: reason.to_owned(),
                    }),
                };
                // A caller that went away needs no answer.
                drop(reply.send(answer));
            }),
        }
    }

    /// Answers, once it is known whether the transaction was committed.
    pub(super) fn answer(self, committed: Result<(), &str>) {
        (self.answer)(committed);
    }
}
