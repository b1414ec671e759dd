//! Everything that is specific to Linux: clocks, `/proc`, pidfds, namespaces, signals, sockets and durable writes.
//!
//! The rest of the crate, and every crate above it, reaches the operating system of a run's processes only through here.

pub(crate) mod bwrap;
pub mod clock;
pub(crate) mod descriptors;
pub(crate) mod durable;
pub(crate) mod limits;
pub(crate) mod mounts;
pub(crate) mod namespace;
pub(crate) mod own_memory;
pub(crate) mod pidfd;
pub(crate) mod probe;
pub(crate) mod proc;
pub(crate) mod signals;
pub(crate) mod socket;
mod trials;
