//! Our own last step inside a view: the layers that bubblewrap does not know, then the command.
//!
//! It is this program again, executed by bubblewrap through a descriptor. No code of the agent runs yet.

mod entry;
mod landlock;
mod plan;
mod privileges;
mod seccomp;

pub(crate) use entry::stage_main;
pub(super) use plan::{Fds, Plan};
pub(crate) use seccomp::Filter;

/// What makes this program a stage.
pub(crate) const STAGE_ARGUMENT: &str = "__contained";
