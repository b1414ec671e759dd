//! Workspaces that share a checked-out base commit and keep only what is different.
//!
//! Nothing here mounts anything: that is done for every command of a run, in its own mount namespace. What the host needs of an overlay
//! it does on the layers: it writes an upper layer before the first command, and [`crate::snapshot::create`] reads T from it.

mod create;
mod error;
mod fill;
mod open;
mod upper;

pub use create::{InitialContent, OverlayRequest};
pub use error::OverlayError;
pub use open::{OverlayPaths, OverlayWorkspace};
