//! The pure core of dogwatch: words, states, events and formats that must not vary.
//!
//! Nothing here performs IO, reads a clock or spawns a task. Time and randomness come in as data, so the same inputs give the same
//! events on every machine and in every replay.

pub mod canonical;
pub mod clock;
pub mod contract;
pub mod event;
pub mod failure;
pub mod frame;
pub mod ids;
pub mod job;
pub mod journal;
pub mod limits;
pub mod log_event;
pub mod queue;
pub mod redact;
pub mod run;
pub mod server;
pub mod strict;
pub mod time;
pub mod turn;

pub use canonical::Sha256Digest;
pub use clock::{Clock, Entropy};
pub use failure::{Failure, FailureClass};
pub use schemars;
pub use time::Timestamp;
