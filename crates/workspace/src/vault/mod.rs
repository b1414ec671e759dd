//! The vault: per project a bare repository in the data directory, with its own objects.
//!
//! Base commits are brought into it, workspaces borrow from it, results go into it. It borrows from nobody, so the user may delete or
//! collect anything in the checkout without harming a run. It is never collected on its own.

mod fetch;
mod lend;
mod open;
mod refs;
mod run_refs;

pub use open::{Vault, VaultError};
pub use run_refs::SnapshotRef;

pub(crate) use run_refs::{HISTORY, RESULT, run_ref};
