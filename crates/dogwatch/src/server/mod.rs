//! The server process: the one control plane of a data directory, with the runner of this machine in it.
//!
//! A command that needs it starts it and it goes when nothing is left to do; `up` keeps it.

mod endpoint;
mod idle;
mod lock;
mod open;
mod process;
mod recovery;
mod shutdown;
mod sweep;

pub(crate) use endpoint::{Endpoint, logs_directory, runner_socket_path};
pub(crate) use open::host_name;
pub(crate) use process::{Announce, ServeOptions, announce_line, serve};
pub(crate) use recovery::{Announcement, RecoveredJob};
