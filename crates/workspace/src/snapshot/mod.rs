//! Snapshots: tree T as a commit in the vault, what lies beside T as another, and the way back to files.

mod create;
mod ignored;
mod restore;

pub use create::{Complete, Extent, Snapshot, SnapshotError, SnapshotRequest, create, take};
pub use ignored::{IgnoredSnapshot, ListedFile, Listing};
pub use restore::{RestoreError, restore, restore_with_ignored};
