//! The envelope of every event, complete from the start: it is hashed, so a field cannot be added later.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actor::Actor;
use super::chain::{ChainDomain, link};
use crate::canonical::{self, CanonicalError, Sha256Digest};
use crate::ids::{EventId, JobId, ProjectId, RunId};
use crate::time::Timestamp;

/// The version of the envelope itself.
pub const ENVELOPE_VERSION: u32 = 1;

/// The largest line an event may make; what is bigger is stored beside and named by digest.
pub const MAX_EVENT_BYTES: usize = 4096;

/// A fencing epoch: it only grows over the life of a job, also across restore and migration.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of the next lease.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The stream an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// The control stream of a job: job, leases, run headers, approvals, decisions.
    Job(JobId),
    /// The journal of a run.
    Run(RunId),
    /// The control stream of the server itself: tokens, runners, starts.
    Server,
}

/// The name of the server's own stream.
const SERVER_STREAM: &str = "server";

impl StreamId {
    /// The chain an entry of this stream is part of.
    pub const fn domain(self) -> ChainDomain {
        match self {
            Self::Job(_) | Self::Server => ChainDomain::Control,
            Self::Run(_) => ChainDomain::Journal,
        }
    }

    /// The `prev` of the first entry.
    pub fn genesis(self) -> Sha256Digest {
        super::chain::genesis(self.domain(), &self.to_string())
    }

    /// The `prev` of the entry after `line`.
    pub fn link(self, seq: u64, line: &[u8]) -> Sha256Digest {
        link(self.domain(), &self.to_string(), seq, line)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(id) => id.fmt(f),
            Self::Run(id) => id.fmt(f),
            Self::Server => f.write_str(SERVER_STREAM),
        }
    }
}

impl std::str::FromStr for StreamId {
    type Err = crate::ids::ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == SERVER_STREAM {
            Ok(Self::Server)
        } else if text.starts_with(RunId::PREFIX) {
            text.parse().map(Self::Run)
        } else {
            text.parse().map(Self::Job)
        }
    }
}

impl Serialize for StreamId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// One event as it is stored: what happened, to what, by whom, because of what, after what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// [`ENVELOPE_VERSION`].
    pub v: u32,
    /// The event's own id.
    pub id: EventId,
    /// The stream it belongs to: a job's id, a run's id, or `server`.
    #[schemars(with = "String")]
    pub stream: StreamId,
    /// Its position in the stream, from 1, without gaps.
    pub seq: u64,
    /// What happened, with a version: `run.stalled.v1`. Released kinds never change.
    pub kind: String,
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// The event or request that led to it.
    pub cause: Option<EventId>,
    /// The W3C `traceparent` of the request that led to it.
    pub trace: Option<String>,
    /// The project, where one is concerned.
    pub project: Option<ProjectId>,
    /// The job, where one is concerned.
    pub job: Option<JobId>,
    /// The run, where one is concerned.
    pub run: Option<RunId>,
    /// The fencing epoch of the lease it was written under.
    pub epoch: Option<Epoch>,
    /// The facts of this kind of event.
    pub data: Value,
    /// The link to the entry before it.
    pub prev: Sha256Digest,
}

/// Why an event could not become a line.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// See [`CanonicalError`].
    #[error("event {kind} has no canonical form")]
    Canonical {
        /// The kind of event.
        kind: String,
        /// Why.
        #[source]
        source: CanonicalError,
    },
    /// Larger than [`MAX_EVENT_BYTES`]: its payload belongs beside it, by digest.
    #[error("event {kind} is {bytes} bytes, more than the {MAX_EVENT_BYTES} an event may hold")]
    TooLarge {
        /// The kind of event.
        kind: String,
        /// How large.
        bytes: usize,
    },
}

/// An event together with the exact bytes that are stored, sent and hashed.
#[derive(Clone, Debug, PartialEq)]
pub struct SealedEvent {
    /// The event.
    pub envelope: Envelope,
    /// Its canonical line, without a line end.
    pub line: Vec<u8>,
    /// The `prev` of whatever comes next.
    pub head: Sha256Digest,
}

impl Envelope {
    /// Fixes the bytes of this event.
    pub fn seal(self) -> Result<SealedEvent, EnvelopeError> {
        let line = canonical::to_bytes(&self).map_err(|source| EnvelopeError::Canonical {
            kind: self.kind.clone(),
            source,
        })?;
        if line.len() > MAX_EVENT_BYTES {
            return Err(EnvelopeError::TooLarge {
                kind: self.kind,
                bytes: line.len(),
            });
        }
        let head = self.stream.link(self.seq, &line);
        Ok(SealedEvent {
            envelope: self,
            line,
            head,
        })
    }
}
