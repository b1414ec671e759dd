//! Why a tree could not be read.

use std::io;

use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::path_bytes::PathBytes;
use crate::vault::VaultError;

/// How much of a workspace is read before the walk gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeLimits {
    /// Directories below each other.
    pub depth: usize,
    /// Directory entries, ignored ones included.
    pub entries: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes that are new against base, together.
    pub new_bytes: u64,
}

impl Default for TreeLimits {
    fn default() -> Self {
        Self {
            depth: 8_192,
            entries: 5_000_000,
            file_bytes: 8 << 30,
            new_bytes: 32 << 30,
        }
    }
}

/// A workspace whose tree could not be read. There is no partial tree.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The file system refused.
    #[error("read {path} in the workspace")]
    Unreadable {
        /// Where, relative to the workspace.
        path: PathBytes,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file changed on every attempt to read it.
    #[error("read {path} in the workspace: it keeps changing")]
    Unstable {
        /// Where, relative to the workspace.
        path: PathBytes,
    },
    /// A limit was reached.
    #[error("read {path} in the workspace: more than {limit} {what}")]
    Limit {
        /// Where, relative to the workspace.
        path: PathBytes,
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// The layers of an overlay could not be used.
    #[error("{action} of the workspace")]
    Layer {
        /// What was tried.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An upper layer was written by something other than dogwatch's own mounts.
    #[error(
        "read {path} in the workspace: its layer has the mark `{mark}`, which no mount of dogwatch's makes"
    )]
    UnexpectedMark {
        /// Where, relative to the workspace.
        path: PathBytes,
        /// What it is called, without what all marks begin with.
        mark: PathBytes,
    },
    /// The lower layer is another commit than the base of the snapshot.
    #[error("read the workspace: its lower layer is {lower} and not {base}")]
    OtherBase {
        /// What the layer is.
        lower: ObjectId,
        /// What was asked for.
        base: ObjectId,
    },
    /// The vault could not be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl TreeError {
    pub(super) fn unreadable(path: &[u8], source: io::Error) -> Self {
        let path = if path.is_empty() {
            PathBytes::from(".")
        } else {
            PathBytes::new(path)
        };
        Self::Unreadable { path, source }
    }
}
