//! Why a result does not land.

use std::io;

use crate::checkout::CheckoutError;
use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::path_bytes::{PathBytes, PathList};
use crate::vault::VaultError;

/// A promotion that was refused or failed. The user's branches, index and files are as they were, unless it is
/// [`Interrupted`](Self::Interrupted).
#[derive(Debug, thiserror::Error)]
pub enum LandError {
    /// No branch is checked out.
    #[error(
        "land on the branch that is checked out: HEAD is detached; name a branch or make a new one"
    )]
    Detached,
    /// There is no such branch.
    #[error("land on {branch}: there is no such branch, or it has no commit yet")]
    NoBranch {
        /// Which.
        branch: PathBytes,
    },
    /// The branch is another name for a different ref.
    #[error("land on {branch}: it is a symbolic ref; name the branch it stands for")]
    SymbolicBranch {
        /// Which.
        branch: PathBytes,
    },
    /// Not a name for a new branch.
    #[error("use `{}` as the name of a branch: letters, digits, `.`, `_`, `-` and `/` are allowed", PathBytes::from(name.as_str()))]
    BranchName {
        /// What was given.
        name: String,
    },
    /// There is such a branch already.
    #[error("make the branch {branch}: it exists already, at {at}")]
    BranchExists {
        /// Which.
        branch: PathBytes,
        /// Where it is.
        at: ObjectId,
    },
    /// The branch is not where the run started any more.
    #[error(
        "fast-forward {branch}: it is at {at} and the run started from {base}; merge, or make a new branch"
    )]
    Moved {
        /// Which.
        branch: PathBytes,
        /// Where it is.
        at: ObjectId,
        /// Where it was.
        base: ObjectId,
    },
    /// The worktree has changes of its own.
    #[error(
        "change the files in {worktree}: {count} uncommitted changes there; commit or stash them first"
    )]
    Dirty {
        /// Where.
        worktree: PathBytes,
        /// How many paths.
        count: u64,
        /// The first of them.
        sample: Vec<PathBytes>,
    },
    /// Files that git does not know lie where the result has files.
    #[error("change the files in {worktree}: {} untracked files are in the way, the first of them {}; move them away", paths.count, first(paths))]
    InTheWay {
        /// Where.
        worktree: PathBytes,
        /// Which.
        paths: PathList,
    },
    /// Something else is half done in the worktree.
    #[error("land on {branch}: {operation} is in progress in {worktree}; finish or abort it first")]
    InProgress {
        /// Which branch.
        branch: PathBytes,
        /// What is going on.
        operation: &'static str,
        /// Where.
        worktree: PathBytes,
    },
    /// Two worktrees have the branch.
    #[error("land on {branch}: it is checked out in more than one worktree")]
    CheckedOutTwice {
        /// Which.
        branch: PathBytes,
    },
    /// The worktree is not there.
    #[error(
        "land on {branch}: its worktree {worktree} is missing; `git worktree prune` forgets it"
    )]
    WorktreeMissing {
        /// Which.
        branch: PathBytes,
        /// Where it should be.
        worktree: PathBytes,
    },
    /// The merge has conflicts.
    #[error("merge into {branch}: {} files conflict, the first of them {}; make a new branch and merge that by hand", paths.count, first(paths))]
    Conflicts {
        /// Which.
        branch: PathBytes,
        /// The files.
        paths: PathList,
    },
    /// The branch and the run have no common history.
    #[error("merge into {branch}: it has no commit in common with the run")]
    Unrelated {
        /// Which.
        branch: PathBytes,
    },
    /// The history is cut off.
    #[error("land in a shallow repository: `git fetch --unshallow` completes it")]
    Shallow,
    /// The result changes what a submodule is.
    #[error(
        "land a change of the submodule {}: change submodules by hand",
        first(paths)
    )]
    Submodule {
        /// Which.
        paths: PathList,
    },
    /// The history that was given does not end in T.
    #[error("land the history {history}: its last commit does not have the tree of the result")]
    History {
        /// Its last commit.
        history: ObjectId,
    },
    /// The branch moved between plan and execution, or somebody has it locked.
    #[error("move {branch}: it was moved or locked by somebody else meanwhile")]
    Raced {
        /// Which.
        branch: PathBytes,
        /// What git said.
        #[source]
        source: GitError,
    },
    /// git's index is locked.
    #[error(
        "change the index of {worktree}: another git command has it locked ({lock}); if none is running, remove that file"
    )]
    IndexLocked {
        /// Where.
        worktree: PathBytes,
        /// The lock.
        lock: PathBytes,
    },
    /// A landing was begun and not finished.
    #[error(
        "land anything: the promotion of {run} into {worktree} was interrupted; promote that run again to finish it"
    )]
    Interrupted {
        /// The run.
        run: String,
        /// Where.
        worktree: PathBytes,
    },
    /// A landing was begun and not finished, and somebody changed things since.
    #[error(
        "finish the interrupted promotion in {worktree}: {detail}; put {} right and promote again",
        first(paths)
    )]
    InterruptedAndChanged {
        /// Where.
        worktree: PathBytes,
        /// What was found.
        detail: &'static str,
        /// Which files.
        paths: PathList,
    },
    /// The objects do not pass git's checks.
    #[error("send the result to the repository: git refuses its objects")]
    Objects(#[source] GitError),
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
    /// The checkout could not be read.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// The vault could not be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl LandError {
    /// A stable name for the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Detached => "target_detached",
            Self::NoBranch { .. } => "target_missing",
            Self::SymbolicBranch { .. } => "target_symbolic",
            Self::BranchName { .. } => "branch_name",
            Self::BranchExists { .. } => "branch_exists",
            Self::Moved { .. } => "target_moved",
            Self::Dirty { .. } => "target_dirty",
            Self::InTheWay { .. } => "target_untracked_in_the_way",
            Self::InProgress { .. } => "target_in_progress",
            Self::CheckedOutTwice { .. } => "target_checked_out_twice",
            Self::WorktreeMissing { .. } => "target_worktree_missing",
            Self::Conflicts { .. } => "merge_conflicts",
            Self::Unrelated { .. } => "merge_unrelated",
            Self::Shallow => "target_shallow",
            Self::Submodule { .. } => "submodule_changed",
            Self::History { .. } => "history_other_tree",
            Self::Raced { .. } => "target_raced",
            Self::IndexLocked { .. } => "index_locked",
            Self::Interrupted { .. } | Self::InterruptedAndChanged { .. } => "landing_interrupted",
            Self::Objects(_) => "objects_refused",
            Self::Io { .. } => "landing_io",
            Self::Checkout(error) => error.code(),
            Self::Vault(_) => "vault_failed",
            Self::Git(_) => "git_failed",
        }
    }
}

fn first(paths: &PathList) -> String {
    paths
        .sample
        .first()
        .map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

pub(super) fn io_error<'a>(
    action: &'static str,
    path: &'a std::path::Path,
) -> impl Fn(io::Error) -> LandError + 'a {
    move |source| LandError::Io {
        action,
        path: path.into(),
        source,
    }
}
