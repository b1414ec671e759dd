//! The work loop: claim jobs, run each on a task of its own, and hear of new ones.

mod claim;
mod listen;
mod one_run;
mod options;
mod work_loop;

pub use options::{Mode, Stop, Transport, WorkOptions, Worked};
