//! Taking a snapshot.

use dogwatch_core::Timestamp;
use dogwatch_core::ids::RunId;
use serde::{Deserialize, Serialize};

use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::path_bytes::PathBytes;
use crate::tree::{CommitText, Contents, Import, TreeError, TreeLimits, TreeReport, walk};
use crate::vault::{Vault, VaultError};

/// What to take a snapshot of, and how to call it.
#[derive(Clone, Debug)]
pub struct SnapshotRequest<'a> {
    /// What to read.
    pub workspace: Contents<'a>,
    /// The commit the run started from, which the vault holds.
    pub base: ObjectId,
    /// The run.
    pub run: RunId,
    /// Which snapshot of the run this is, such as `turn-001`: lower-case letters, digits and dashes.
    pub label: &'a str,
    /// The commit before it: the previous snapshot, or base.
    pub parent: ObjectId,
    /// The commit message.
    pub message: &'a str,
    /// The commit date.
    pub at: Timestamp,
    /// When to give up.
    pub limits: TreeLimits,
}

/// A snapshot that is safely in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The commit.
    pub commit: ObjectId,
    /// Tree T.
    pub tree: ObjectId,
    /// The ref that keeps it.
    pub name: String,
    /// What the walk found.
    pub report: TreeReport,
}

/// A snapshot that could not be taken. No snapshot of that name exists because of it.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The label is not one.
    #[error("use `{}` as the label of a snapshot", PathBytes::from(label.as_str()))]
    Label {
        /// What was given.
        label: String,
    },
    /// The run has another snapshot of that name already. The new one is kept under `refs/dogwatch/again`.
    #[error("take the snapshot {name}: there is a different one of that name already")]
    Exists {
        /// The ref.
        name: String,
    },
    /// The workspace could not be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The vault could not be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Reads tree T from the workspace and commits it in the vault.
///
/// When this returns, objects and ref are on disk, and the workspace may be deleted without losing anything the tree holds. The same
/// content, parent, message and date give the same commit, so taking a snapshot again after a crash changes nothing.
pub fn create(vault: &Vault, request: &SnapshotRequest<'_>) -> Result<Snapshot, SnapshotError> {
    let name = snapshot_ref(request.run, request.label)?;
    let existing = vault.read_ref(&name)?;
    let since = vault.marker()?;
    let mut import = Import::start(vault)?;
    let walked = walk(
        request.workspace,
        vault,
        request.base,
        request.limits,
        &mut import,
    )?;
    let text = CommitText {
        parent: request.parent,
        message: request.message,
        seconds: request.at.as_micros().div_euclid(1_000_000),
    };
    // What stands under the final name is never replaced: a second snapshot is made beside it and compared.
    let written = if existing.is_some() {
        format!("refs/dogwatch/again/{}/{}", request.run, request.label)
    } else {
        name.clone()
    };
    let (commit, tree) = import.commit(
        &written,
        request.base,
        &text,
        walked.deleted(),
        &walked.changed,
    )?;
    if existing.is_some_and(|before| before != commit) {
        return Err(SnapshotError::Exists { name });
    }
    vault.sync_directories(&since, &name)?;
    Ok(Snapshot {
        commit,
        tree,
        name,
        report: TreeReport {
            tree,
            ..walked.report
        },
    })
}

fn snapshot_ref(run: RunId, label: &str) -> Result<String, SnapshotError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if label.is_empty() || label.len() > 64 || !label.bytes().all(plain) || label.starts_with('-') {
        return Err(SnapshotError::Label {
            label: label.to_owned(),
        });
    }
    Ok(format!("refs/dogwatch/runs/{run}/{label}"))
}
