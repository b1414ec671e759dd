//! Landing: the one way in which anything of a run gets into the user's repository.
//!
//! [`plan`] looks, decides, and writes only to the vault: the commit that would land, and for a merge the merged tree, which is made in
//! the vault and never among the user's files. [`execute`] then sends the objects, and moves one branch. Where that branch is checked
//! out, index and files follow:
//!
//! 1. a record in `.git/dogwatch/landing/` says what is about to happen, and git's own index lock keeps other git commands out;
//! 2. the branch is locked at the commit it was planned on (a prepared ref transaction, so nothing can move it meanwhile);
//! 3. `git read-tree -m -u` changes the files, with an index of its own that then takes the place of the old one;
//! 4. the ref transaction is committed, lock and record go.
//!
//! A failure in between is taken back. After a crash in between, the record is there, so the next promotion of the same run finishes
//! what was begun, and one of another run is refused: it never takes half a landing for the user's own changes, nor the other way round.
//!
//! Hooks, file system monitors and submodule recursion are off, and nothing is asked of a network. The user's configuration is the
//! user's: if a `.gitattributes` in T names a filter, what runs is the filter the user configured under that name, as after a pull. A
//! repository can only name filters; it cannot define them.

mod branch;
mod commit;
mod error;
mod execute;
mod files;
mod merge;
mod obstacles;
mod plan;
mod record;
mod request;
mod transfer;
mod worktrees;

#[cfg(test)]
mod tests;

pub use error::LandError;
pub use execute::{Landed, execute};
pub use plan::{Plan, PlanKind, plan};
pub use request::{Author, Mode, PromotionRequest};
