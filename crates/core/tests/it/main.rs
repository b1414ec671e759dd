//! The core's machines, tested from outside.

mod job_machine;
mod run_machine;
