//! Checkouts, vaults, private clones, tree T and snapshots: the only crate that runs git.
//!
//! Three kinds of repository meet here and are never mixed up. The *checkout* is the user's own: it is read, and nothing but
//! `.git/dogwatch/` in its common directory is ever written. The *vault* is dogwatch's: a bare repository per project that holds base
//! commits and results. The *clone* belongs to the agent: git runs in it only before the agent does, and afterwards its bytes are read
//! by the walker in [`tree`], which knows nothing of `.git`.
//!
//! Everything is synchronous; callers on an async runtime use its blocking threads.

// The scene that unit and integration tests share names this crate as its users do.
#[cfg(test)]
extern crate self as dogwatch_workspace;

pub mod checkout;
pub mod clone;
mod commit_object;
pub mod diff;
mod directory_stack;
pub mod fingerprint;
pub mod fresh;
pub mod git;
pub mod history;
pub mod included;
pub mod land;
pub mod link;
pub mod object_id;
mod os;
pub mod overlay;
pub mod path_bytes;
pub mod pristine;
pub mod snapshot;
pub mod trash;
pub mod tree;
pub mod vault;
mod workspace;

pub use checkout::{Checkout, CheckoutError, DirtySummary};
pub use clone::{CloneError, Export, PrivateClone};
pub use git::GitError;
pub use object_id::{ObjectFormat, ObjectId};
pub use overlay::{InitialContent, OverlayError, OverlayRequest, OverlayWorkspace};
pub use path_bytes::{PathBytes, PathList};
pub use pristine::{CacheLimits, Owner, PristineCache, PristineError};
pub use snapshot::{Snapshot, SnapshotError, SnapshotRequest};
pub use trash::{Discarded, RemoveError, Trash};
pub use tree::{Contents, TreeError, TreeReport};
pub use vault::{Vault, VaultError};
pub use workspace::Workspace;
