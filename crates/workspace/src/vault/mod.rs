//! The vault: per project a bare repository in the data directory, with its own objects.
//!
//! Base commits are brought into it, workspaces borrow from it, results go into it. It borrows from nobody, so the user may delete or
//! collect anything in the checkout without harming a run. It is never collected on its own.

mod fetch;
mod open;
mod refs;

pub use open::{Vault, VaultError};
