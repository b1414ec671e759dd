//! One update of one job stream, with everything that rides in its transaction.

use std::collections::BTreeMap;

use dogwatch_core::Sha256Digest;
use dogwatch_core::Timestamp;
use dogwatch_core::event::{Actor, SealedEvent};
use dogwatch_core::ids::{EventId, LeaseId, MachineId, ProjectId, RunId};
use dogwatch_core::job::{JobEvent, JobStream, Refusal};
use dogwatch_core::server::{ServerEvent, ServerRefusal, ServerState};
use serde_json::Value;

/// What a decision leads to: events to append and the answer to give.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The events, in order. None is a valid decision: the command was carried out before.
    pub events: Vec<JobEvent>,
    /// The answer, kept with the idempotency key.
    pub reply: Value,
}

impl Decision {
    /// A decision with an empty answer.
    pub fn events(events: Vec<JobEvent>) -> Self {
        Self {
            events,
            reply: Value::Null,
        }
    }
}

/// The pure decision. The backend may run it more than once before it commits.
pub type Decide =
    Box<dyn Fn(&JobStream, Timestamp) -> Result<Decision, Refusal> + Send + Sync + 'static>;

/// What every event of an update carries.
#[derive(Clone, Debug)]
pub struct EventContext {
    /// Who.
    pub actor: Actor,
    /// The event that led to all of them. Where there is none, the first event of an update led to its others.
    pub cause: Option<EventId>,
    /// The W3C `traceparent` of the request.
    pub trace: Option<String>,
}

/// A request that must not have its effect twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The scope of the key.
    pub project: ProjectId,
    /// The caller's key.
    pub key: String,
    /// The digest of the canonical request.
    pub request: Sha256Digest,
}

/// What else is written, in the same transaction, once the decision stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Nothing.
    Nothing,
    /// The bytes of a contract, by their hash.
    Contract {
        /// The hash.
        hash: Sha256Digest,
        /// The canonical bytes.
        bytes: Vec<u8>,
    },
    /// A lease was renewed: its counter goes up. Not an event, so not part of any rebuild.
    Renewal {
        /// The lease.
        lease: LeaseId,
    },
    /// The files of a run's bundle, by path. A run has one bundle: declaring another is a conflict, the same again is not.
    Bundle {
        /// The run.
        run: RunId,
        /// The files.
        files: BTreeMap<String, Sha256Digest>,
    },
    /// Lines of a run's journal, exactly as the runner wrote them. Lines that are stored already are skipped.
    RunLines {
        /// The run.
        run: RunId,
        /// The lines, without line ends, in order.
        lines: Vec<Vec<u8>>,
    },
}

/// An update of a job stream.
pub struct Update {
    /// The project that the events of a new stream belong to; a stream that exists stays with its own.
    pub project: ProjectId,
    /// What every event carries.
    pub context: EventContext,
    /// The key under which the answer is kept.
    pub idempotency: Option<Idempotency>,
    /// What else is written.
    pub side: Side,
    /// The decision.
    pub decide: Decide,
}

impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Update")
            .field("project", &self.project)
            .field("context", &self.context)
            .field("idempotency", &self.idempotency)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// A committed update.
#[derive(Clone, Debug)]
pub struct Updated {
    /// The stream as it stands now.
    pub stream: JobStream,
    /// The events that were appended, with their exact lines.
    pub events: Vec<SealedEvent>,
    /// The answer: the decision's, or the one kept with the idempotency key.
    pub reply: Value,
    /// Whether the answer was kept from an earlier request.
    pub replayed: bool,
}

/// The pure decision about the server's own stream. The backend may run it more than once before it commits.
pub type DecideServer = Box<
    dyn Fn(&ServerState, Timestamp) -> Result<Vec<ServerEvent>, ServerRefusal>
        + Send
        + Sync
        + 'static,
>;

/// An update of the server's own stream.
pub struct ServerUpdate {
    /// What every event carries.
    pub context: EventContext,
    /// What a runner said, whole; kept by machine, replacing what it said before, and only where the decision has events.
    pub runner: Option<(MachineId, Vec<u8>)>,
    /// The decision.
    pub decide: DecideServer,
}

impl std::fmt::Debug for ServerUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerUpdate")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// A committed update of the server's own stream.
#[derive(Clone, Debug)]
pub struct ServerUpdated {
    /// The stream as it stands now.
    pub state: ServerState,
    /// The events that were appended, with their exact lines.
    pub events: Vec<SealedEvent>,
}
