//! What can go wrong with the layers of a workspace.

use std::io;
use std::path::Path;

use crate::clone::CloneError;
use crate::git::GitError;
use crate::path_bytes::PathBytes;
use crate::pristine::PristineError;

/// An overlay workspace that could not be made, opened or removed.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
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
    /// There is a workspace already.
    #[error("make the workspace {path}: it is there already")]
    Exists {
        /// Where.
        path: PathBytes,
    },
    /// The record beside the layers makes no sense.
    #[error("read {path}: it is damaged, so nothing is known of the workspace's layers")]
    Corrupt {
        /// Where.
        path: PathBytes,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The record was written by another dogwatch.
    #[error("read {path}: its schema version is {found}, this dogwatch knows {known}")]
    Version {
        /// Where.
        path: PathBytes,
        /// What it says.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// The tree would write the repository of the workspace.
    #[error("restore {path}: the tree has a `.git` at its top")]
    Repository {
        /// What.
        path: PathBytes,
    },
    /// The lower layer could not be had.
    #[error(transparent)]
    Pristine(#[from] PristineError),
    /// The branch is not one, or the clone could not be made.
    #[error(transparent)]
    Clone(#[from] CloneError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> OverlayError {
    let path = PathBytes::from(path);
    move |source| OverlayError::Io {
        action,
        path: path.clone(),
        source,
    }
}
