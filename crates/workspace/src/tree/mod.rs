//! Tree T: the result of a run, read by dogwatch itself from the real bytes of a workspace.
//!
//! git would let the workspace decide what is seen: index flags hide changes, `info/exclude` hides files, filters rewrite content,
//! nested repositories become empty links. The walker asks none of that. It opens every file below the workspace without following a
//! link, hashes what it reads, and hands what differs from the base commit to one `git fast-import` in the vault.
//!
//! * Paths that are in base are always in T, even if a `.gitignore` names them.
//! * Other paths are left out only by `.gitignore` files as they stand in the workspace. What is left out is counted, and what base's
//!   own `.gitignore` files would not have left out is listed.
//! * Names git forbids are stored under an escape that [`unescape_component`] takes back.
//! * What cannot be read fails the walk with its path. Nothing is read as absent or empty.

mod base;
mod content;
mod error;
mod escape;
mod forbidden;
mod ignore_rules;
mod import;
mod layers;
mod listing;
mod pattern;
mod report;
mod walk;

pub use error::{TreeError, TreeLimits};
pub use escape::{escape_component, unescape_component};
pub use layers::{Contents, Layers, Marks};
pub use report::{EscapedPath, Ignored, IgnoredFile, TreeReport};

pub(crate) use base::{BaseTree, Mode, parse_ls_tree};
pub(crate) use import::{Change, CommitText, Import};
pub(crate) use listing::Listing;
pub(crate) use walk::{Beside, IgnoredEntry, walk};
