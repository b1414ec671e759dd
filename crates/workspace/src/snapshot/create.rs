//! Taking a snapshot.

use std::collections::BTreeSet;

use dogwatch_core::Timestamp;
use dogwatch_core::ids::RunId;
use serde::{Deserialize, Serialize};

use super::ignored::{self, IgnoredSnapshot};
use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::path_bytes::{PathBytes, PathList};
use crate::tree::{Beside, CommitText, Contents, Import, TreeError, TreeLimits, TreeReport, walk};
use crate::vault::{HISTORY, RESULT, Vault, VaultError, run_ref};

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

/// How much of what is not in T a snapshot keeps.
#[derive(Clone, Copy, Debug)]
pub struct Extent<'a> {
    /// Ignored files are kept up to this many bytes together, the small ones first.
    pub ignored_max: u64,
    /// What is not kept is listed, with digests up to this many bytes together.
    pub digest_max: u64,
    /// Files that came along from the user's checkout: neither in T nor kept, whatever a `.gitignore` says. None of them is in base.
    pub excluded: &'a [PathBytes],
}

impl Default for Extent<'_> {
    fn default() -> Self {
        Self {
            ignored_max: 64 << 20,
            digest_max: 1 << 30,
            excluded: &[],
        }
    }
}

/// A snapshot and what was kept beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complete {
    /// Tree T.
    pub snapshot: Snapshot,
    /// Ignored files and empty directories; none if there are none of either.
    pub ignored: Option<IgnoredSnapshot>,
    /// Files that are there and were excluded.
    pub excluded: PathList,
}

/// Reads tree T from the workspace and commits it in the vault.
///
/// When this returns, objects and ref are on disk, and the workspace may be deleted without losing anything the tree holds. The same
/// content, parent, message and date give the same commit, so taking a snapshot again after a crash changes nothing.
pub fn create(vault: &Vault, request: &SnapshotRequest<'_>) -> Result<Snapshot, SnapshotError> {
    let (snapshot, _) = take_tree(vault, request, &BTreeSet::new(), &mut |_| Ok(None))?;
    Ok(snapshot)
}

/// As [`create`], and keeps what lies beside T as well, never mixed into it: a second commit under the snapshot's name with `.ignored`
/// at its end. It is written first, so that where there is a snapshot there is all of it.
pub fn take(
    vault: &Vault,
    request: &SnapshotRequest<'_>,
    extent: &Extent<'_>,
) -> Result<Complete, SnapshotError> {
    let excluded: BTreeSet<Vec<u8>> = extent
        .excluded
        .iter()
        .map(|path| path.as_bytes().to_vec())
        .collect();
    let name = format!("{}.ignored", snapshot_ref(request.run, request.label)?);
    let finished = vault
        .read_ref(&snapshot_ref(request.run, request.label)?)?
        .is_some();
    let mut left_out = PathList::default();
    let (snapshot, ignored) = take_tree(vault, request, &excluded, &mut |beside| {
        left_out = std::mem::take(&mut beside.excluded);
        if finished {
            // Caches change while T does not; what was kept first stays.
            return IgnoredSnapshot::find(vault, &name);
        }
        ignored::keep(vault, request, extent, &name, beside)
    })?;
    Ok(Complete {
        snapshot,
        ignored,
        excluded: left_out,
    })
}

type KeepBeside<'a> =
    &'a mut dyn FnMut(&mut Beside) -> Result<Option<IgnoredSnapshot>, SnapshotError>;

fn take_tree(
    vault: &Vault,
    request: &SnapshotRequest<'_>,
    excluded: &BTreeSet<Vec<u8>>,
    keep_beside: KeepBeside<'_>,
) -> Result<(Snapshot, Option<IgnoredSnapshot>), SnapshotError> {
    let name = snapshot_ref(request.run, request.label)?;
    let existing = vault.read_ref(&name)?;
    let since = vault.marker()?;
    let mut import = Import::start(vault)?;
    let mut walked = walk(
        request.workspace,
        vault,
        request.base,
        request.limits,
        excluded,
        &mut import,
    )?;
    let ignored = keep_beside(&mut walked.beside)?;
    let text = CommitText {
        parent: request.parent,
        message: request.message,
        seconds: request.seconds(),
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
    let snapshot = Snapshot {
        commit,
        tree,
        name,
        report: TreeReport {
            tree,
            ..walked.report
        },
    };
    Ok((snapshot, ignored))
}

impl SnapshotRequest<'_> {
    pub(super) const fn seconds(&self) -> i64 {
        self.at.as_micros().div_euclid(1_000_000)
    }
}

fn snapshot_ref(run: RunId, label: &str) -> Result<String, SnapshotError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let taken = [HISTORY, RESULT].contains(&label);
    if label.is_empty()
        || label.len() > 64
        || !label.bytes().all(plain)
        || label.starts_with('-')
        || taken
    {
        return Err(SnapshotError::Label {
            label: label.to_owned(),
        });
    }
    Ok(run_ref(run, label))
}
