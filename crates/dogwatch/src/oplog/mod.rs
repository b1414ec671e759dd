//! The operational logs of the server process: JSON lines by lane under `<data>/logs/`.
//!
//! An event of `tracing` becomes a [`dogwatch_core::log_event::LogEvent`]: fields such as `lane`, `event`, `run_id` and `request_id` are
//! lifted into it, also from the spans around it, and everything else is `meta`. Secrets are removed before a line leaves the thread that
//! made it. A thread of its own writes, so that the disk is not on anybody's way; the guard that `start` gives waits for it.

mod error;
mod fields;
mod files;
mod layer;
mod rotation;
mod scrub;
mod start;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use start::{Options, start};
