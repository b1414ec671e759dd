//! Writing: one thread, one connection, one transaction for all that is queued.

mod append;
mod batch;
mod checkpoint;
mod envelope;
mod idempotency;
mod ready;
mod request;
mod side;
mod thread;
mod update;

pub(crate) use request::Request;
pub(crate) use thread::Writer;
pub(crate) use update::Mint;
