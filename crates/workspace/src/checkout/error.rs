//! Why a directory cannot serve as a checkout.

use crate::git::GitError;
use crate::path_bytes::PathBytes;

/// A repository that dogwatch cannot start from, or a question it could not answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The directory is not there.
    #[error("open {path}: there is no such directory")]
    NoDirectory {
        /// Where.
        path: PathBytes,
    },
    /// Neither the directory nor one above it is a repository.
    #[error("find a git repository at {path} or above it")]
    NotARepository {
        /// Where.
        path: PathBytes,
    },
    /// A repository without files.
    #[error("use {path}: it is a bare repository, without checked-out files")]
    Bare {
        /// Where.
        path: PathBytes,
    },
    /// The directory is inside `.git`.
    #[error("use {path}: it is inside a `.git` directory")]
    InsideGitDirectory {
        /// Where.
        path: PathBytes,
    },
    /// Nothing was ever committed.
    #[error("use {path}: the repository has no commit yet")]
    Empty {
        /// Where.
        path: PathBytes,
    },
    /// git does not trust the owner of the directory.
    #[error(
        "use {path}: it belongs to another user and git does not trust it (see `safe.directory` in `git help config`)"
    )]
    DubiousOwnership {
        /// Where.
        path: PathBytes,
        /// What git said.
        #[source]
        source: GitError,
    },
    /// No commit has that name.
    #[error("resolve `{}` to a commit{}", PathBytes::from(base_ref.as_str()), nearest_hint(nearest))]
    RefNotFound {
        /// The name that was asked for.
        base_ref: String,
        /// Branches and tags with a similar name, nearest first.
        nearest: Vec<String>,
    },
    /// git itself failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl CheckoutError {
    /// A stable name for this kind of refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoDirectory { .. } => "directory_missing",
            Self::NotARepository { .. } => "not_a_repository",
            Self::Bare { .. } => "bare_repository",
            Self::InsideGitDirectory { .. } => "inside_git_directory",
            Self::Empty { .. } => "empty_repository",
            Self::DubiousOwnership { .. } => "dubious_ownership",
            Self::RefNotFound { .. } => "base_ref_not_found",
            Self::Git(GitError::Missing) => "git_missing",
            Self::Git(GitError::TooOld { .. }) => "git_too_old",
            Self::Git(
                GitError::Spawn { .. }
                | GitError::Pipe { .. }
                | GitError::Failed { .. }
                | GitError::Stopped { .. }
                | GitError::Unexpected { .. },
            ) => "git_failed",
        }
    }
}

fn nearest_hint(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [only] => format!("; did you mean `{only}`?"),
        several => format!("; did you mean one of `{}`?", several.join("`, `")),
    }
}
