//! Why an agent's history is not kept, and what can go wrong on our side.

use std::io;

use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::path_bytes::PathBytes;
use crate::vault::VaultError;

/// Why the agent's commits are not kept. Nothing is lost: T holds what they led to.
#[derive(Debug, thiserror::Error)]
pub enum HistoryRefusal {
    /// There is no bundle: the agent committed nothing, or git failed in its workspace.
    #[error("there is no bundle of commits")]
    NoBundle,
    /// Something else than a file lies in its place, or it cannot be read.
    #[error("the bundle of commits cannot be read")]
    Unreadable(#[source] io::Error),
    /// There is too much of something.
    #[error("there are more than {limit} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// Not a bundle of the one form that is asked for.
    #[error("the bundle has a header that was not asked for: {detail}")]
    Header {
        /// What is wrong.
        detail: &'static str,
    },
    /// git refuses the pack: broken, incomplete, or with objects that `git fsck --strict` does not let pass.
    #[error("git refuses its objects")]
    Objects(#[source] GitError),
    /// A commit that is not one of UTF-8 text and known headers.
    #[error("commit {commit} {detail}")]
    Commit {
        /// Which.
        commit: ObjectId,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// A commit follows one that is neither base nor new.
    #[error("commit {commit} has a parent outside the run: {parent}")]
    ForeignParent {
        /// Which.
        commit: ObjectId,
        /// The parent; none if the commit has none at all.
        parent: PathBytes,
    },
    /// A tree with an entry that must not be in one.
    #[error("tree {tree} has the entry {name}, which {detail}")]
    Tree {
        /// Which.
        tree: ObjectId,
        /// The entry.
        name: PathBytes,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// Content that came along from the user's checkout and must not leave the workspace.
    #[error("a commit contains a file named by .worktreeinclude")]
    Included,
    /// The last commit is not the result.
    #[error("the last commit has tree {found}, and the result of the run is {tree}")]
    OtherTree {
        /// The tree of the last commit.
        found: ObjectId,
        /// Tree T.
        tree: ObjectId,
    },
}

impl HistoryRefusal {
    /// A stable name for the reason.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoBundle => "history_none",
            Self::Unreadable(_) => "history_unreadable",
            Self::TooMuch { .. } => "history_too_large",
            Self::Header { .. } => "history_bundle_form",
            Self::Objects(_) => "history_objects_refused",
            Self::Commit { .. } => "history_commit_refused",
            Self::ForeignParent { .. } => "history_foreign_parent",
            Self::Tree { .. } => "history_tree_refused",
            Self::Included => "history_included_file",
            Self::OtherTree { .. } => "history_other_tree",
        }
    }
}

/// A history that could not be dealt with, for reasons that are not its own.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
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
    /// The run has another history already.
    #[error("keep the history of the run as {name}: there is a different one already")]
    Exists {
        /// The ref.
        name: String,
    },
    /// The vault could not be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

pub(super) fn io_error<'a>(
    action: &'static str,
    path: &'a std::path::Path,
) -> impl Fn(io::Error) -> HistoryError + 'a {
    move |source| HistoryError::Io {
        action,
        path: path.into(),
        source,
    }
}

/// Ends a step: with a reason of the history's own, or because something else failed.
pub(super) enum Stop {
    Refused(HistoryRefusal),
    Failed(HistoryError),
}

impl From<HistoryRefusal> for Stop {
    fn from(refusal: HistoryRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<HistoryError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
