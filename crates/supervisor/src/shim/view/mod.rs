//! The making of a view, in the first process of the namespace, which the agent's code never shares.
//!
//! - [`places`]: what goes where, from the paths as they are on this machine.
//! - [`staging`]: overlays and binds, made where bubblewrap finds them and the command does not.
//! - [`mountpoints`]: places to mount on, below directories that the command may write.
//! - [`arguments`]: all of it as bubblewrap is told.
//! - [`wrapped`]: the start of bubblewrap, and how its stage becomes a child of the first process.

mod arguments;
mod build;
mod mountpoints;
mod places;
mod staging;
mod wrapped;

pub(super) use wrapped::{Viewed, start};
