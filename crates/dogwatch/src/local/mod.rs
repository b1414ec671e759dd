//! The control plane inside this process: the lock that makes it the only one, the store, the engine, and the runner of this machine.

mod follow;
mod lock;
mod plane;

pub(crate) use follow::{LineFollower, TerminalFollower};
pub(crate) use lock::Lock;
pub(crate) use plane::{Driven, Local, drive};
