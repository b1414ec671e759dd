//! What can be asked of the database, as functions of a connection.

mod approvals;
mod cursor;
mod ids;
mod jobs;
mod leases;
mod lines;
mod log;
mod runs;
mod server;
mod timers;

pub(crate) use approvals::{approval, approvals};
pub(crate) use ids::find_ids;
pub(crate) use jobs::{job, jobs, unfinished};
pub(crate) use leases::{active_leases, renewals};
pub(crate) use lines::{contract, events, run_lines};
pub(crate) use log::log;
pub(crate) use runs::{bundle_files, run, runs};
pub(crate) use server::{runners, server_state};
pub(crate) use timers::{steady_timers, wall_timers};
