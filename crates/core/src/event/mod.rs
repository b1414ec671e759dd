//! Events: the envelope every fact travels in, and the chain that makes a stream tamper-evident.

mod actor;
mod chain;
mod envelope;
mod tagged;

pub use actor::{Actor, Via};
pub use chain::{ChainDomain, genesis, link};
pub use envelope::{
    ENVELOPE_VERSION, Envelope, EnvelopeError, Epoch, MAX_EVENT_BYTES, SealedEvent, StreamId,
};
pub(crate) use tagged::{join_tagged, split_tagged};
