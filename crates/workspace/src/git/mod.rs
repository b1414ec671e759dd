//! The one place where git command lines are made.
//!
//! A git process obeys its environment, its configuration, and hooks; each has run code for an attacker. So every command is made from
//! one of three profiles, and no argument ever passes a shell:
//!
//! * `UserRepository` asks questions of the user's own checkout. The user's configuration applies (it decides which directories are
//!   safe and how status is computed), but no hook, no file system monitor, no prompt and no lock.
//! * `Landing` changes the user's own checkout, with the same configuration and the same things off.
//! * `Trusted` works in the vault and in clones that no agent has touched yet. No configuration but that of the repository is read.

mod binary;
mod bounded;
mod command;
mod error;
mod quote;
mod stream;

pub use binary::{MINIMUM_VERSION, Version, check};
pub use error::GitError;

pub(crate) use bounded::{Bounds, Feed};
pub(crate) use command::{GitCommand, Running};
pub(crate) use quote::quote_path;
pub(crate) use stream::{CatFile, CopyError};
