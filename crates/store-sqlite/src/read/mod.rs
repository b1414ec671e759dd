//! What can be asked of the database, as functions of a connection.

mod cursor;
mod ids;
mod jobs;
mod leases;
mod lines;
mod runs;

pub(crate) use ids::find_ids;
pub(crate) use jobs::{job, jobs};
pub(crate) use leases::{active_leases, renewals};
pub(crate) use lines::{contract, events, run_lines};
pub(crate) use runs::{run, runs};
