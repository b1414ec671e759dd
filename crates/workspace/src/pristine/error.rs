//! What can go wrong with a cached checkout.

use std::io;
use std::path::Path;

use crate::clone::CloneError;
use crate::git::GitError;
use crate::path_bytes::PathBytes;
use crate::trash::RemoveError;

/// A base commit that could not be checked out for sharing.
#[derive(Debug, thiserror::Error)]
pub enum PristineError {
    /// The file system refused.
    #[error("{action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBytes,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The commit has a name that a tree of dogwatch's would store differently, so that an untouched file would not be one. A plain
    /// checkout has no such trouble.
    #[error(
        "share a checkout that has {path}: dogwatch stores this name under another; use a plain checkout"
    )]
    Name {
        /// Which.
        path: PathBytes,
    },
    /// The entry was removed or damaged again and again while it was being used.
    #[error("use the cached checkout {path}: it is not there although it was just made")]
    Lost {
        /// Where.
        path: PathBytes,
    },
    /// The clone could not be made.
    #[error(transparent)]
    Clone(#[from] CloneError),
    /// A damaged or superfluous entry could not be moved away.
    #[error(transparent)]
    Remove(#[from] RemoveError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> PristineError {
    let path = PathBytes::from(path);
    move |source| PristineError::Io {
        action,
        path: path.clone(),
        source,
    }
}
