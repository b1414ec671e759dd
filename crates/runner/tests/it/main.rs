//! The runner against a real control plane on SQLite, with real git and real processes.

mod approvals;
mod bench;
mod disk;
mod environment;
mod faults;
mod faulty_plane;
mod going_on;
mod output;
mod recovery;
mod work;
