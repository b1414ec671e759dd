//! The agent's own commits: brought out of a run as history, and as nothing else.
//!
//! What a run changed is tree T, which dogwatch reads itself. How the agent got there may be worth keeping, so inside the containment
//! git packs the agent's commits into a bundle file ([`bundle_command`]), and [`import`] takes that file for what it is: data by an
//! attacker. It is copied, its header is read here, its pack is indexed with every check of `git fsck` in a fresh repository that only
//! borrows from the vault, and every new commit and tree is read again by our own rules, whether it came in the pack or lay in the vault
//! already. Only then, and only if the last commit has exactly tree T, do the objects that are reachable from it enter the vault.
//! Otherwise nothing of it does, and T becomes one commit by dogwatch, with the reason.
//!
//! Merges are allowed among the new commits, as long as every line of them starts at base.

mod check;
mod error;
mod header;
mod import;
mod pack;
mod quarantine;
mod trees;

pub use error::{HistoryError, HistoryRefusal};
pub use import::{History, HistoryLimits, HistoryRequest, import};
pub use pack::{BundleCommand, bundle_command};
