//! The use-cases against a real store.

mod access;
mod approvals;
mod bench;
mod evidence;
mod hints;
mod jobs;
mod leases;
mod log;
mod parking;
mod policy;
mod queue;
mod report;
mod run_tokens;
mod time;
mod tokens;
mod why;
