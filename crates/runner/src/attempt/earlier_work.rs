//! A workspace that stands where an earlier snapshot does.

use std::fs;
use std::io;
use std::path::Path;

use dogwatch_core::ids::RunId;
use dogwatch_workspace::snapshot::{RestoreError, restore};
use dogwatch_workspace::{ObjectId, PrivateClone, Vault};

use crate::error::RunnerError;
use crate::files::make_private;

/// A snapshot to go on from.
#[derive(Clone, Debug)]
pub(super) struct EarlierWork {
    /// The run that left it.
    pub(super) run: RunId,
    /// Its commit.
    pub(super) commit: ObjectId,
    /// Its tree.
    pub(super) tree: ObjectId,
}

impl EarlierWork {
    /// Makes a workspace: a clone at the base, with the files of the snapshot in the place of the base's. What the earlier agent changed
    /// is a change for this one too, and every name is what it was. Nothing is at `workspace` until all of it is.
    pub(super) fn make_workspace(
        &self,
        vault: &Vault,
        base: ObjectId,
        workspace: &Path,
        branch: &str,
    ) -> Result<(), RunnerError> {
        let files = workspace.with_extension("files");
        let clone = workspace.with_extension("clone");
        if let Some(parent) = workspace.parent() {
            make_private(parent)?;
        }
        for leftover in [&files, &clone] {
            remove_if_there(leftover)?;
        }
        restore(vault, self.tree, &files).map_err(|error| match error {
            RestoreError::Git(error) => RunnerError::SnapshotMissing {
                run: self.run,
                reason: format!("its snapshot is not on this machine: {error}"),
            },
            error => RunnerError::Restore(error),
        })?;
        PrivateClone::create(vault, base, &clone, branch)?;
        for entry in fs::read_dir(&clone).map_err(RunnerError::file("list", &clone))? {
            let entry = entry.map_err(RunnerError::file("list", &clone))?;
            if entry.file_name() != ".git" {
                remove_if_there(&entry.path())?;
            }
        }
        for entry in fs::read_dir(&files).map_err(RunnerError::file("list", &files))? {
            let entry = entry.map_err(RunnerError::file("list", &files))?;
            let target = clone.join(entry.file_name());
            fs::rename(entry.path(), &target).map_err(RunnerError::file("move", &target))?;
        }
        remove_if_there(&files)?;
        fs::rename(&clone, workspace).map_err(RunnerError::file("move", workspace))
    }
}

/// Removes what dogwatch itself made. No agent has been there.
fn remove_if_there(path: &Path) -> Result<(), RunnerError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(RunnerError::file("remove", path))
}
