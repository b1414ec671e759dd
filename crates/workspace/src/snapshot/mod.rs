//! Snapshots: tree T as a commit in the vault, and the way back to files.

mod create;
mod restore;

pub use create::{Snapshot, SnapshotError, SnapshotRequest, create};
pub use restore::{RestoreError, restore};
