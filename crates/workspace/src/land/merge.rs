//! Merging in the vault.

use super::LandError;
use crate::git::GitError;
use crate::object_id::ObjectId;
use crate::path_bytes::{PathBytes, PathList};
use crate::vault::Vault;

/// The merged tree, or the files that conflict. No configuration but the vault's own applies, so no merge driver runs.
pub(super) fn merge_trees(
    vault: &Vault,
    ours: ObjectId,
    theirs: ObjectId,
) -> Result<Result<ObjectId, PathList>, LandError> {
    let output = vault
        .command("merge-tree")?
        .args(["--write-tree", "--name-only", "--no-messages", "-z"])
        .args([ours.to_string(), theirs.to_string()])
        .output(&[])?;
    match output.status.code() {
        Some(0 | 1) => {}
        Some(_) | None => {
            return Err(output
                .success("merge-tree")
                .map(drop)
                .map_or_else(Into::into, |()| {
                    GitError::unexpected("merge-tree", "no exit code").into()
                }));
        }
    }
    let mut fields = output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|field| !field.is_empty());
    let tree = fields
        .next()
        .and_then(|id| ObjectId::from_hex(id.trim_ascii_end()).ok())
        .ok_or_else(|| {
            let said = PathBytes::new(&output.stdout[..output.stdout.len().min(200)]);
            GitError::unexpected("merge-tree", format!("`{said}`"))
        })?;
    if output.status.success() {
        return Ok(Ok(tree));
    }
    let mut conflicts = PathList::default();
    for path in fields {
        conflicts.push(path);
    }
    Ok(Err(conflicts))
}

/// Whether two commits have any history in common, as far as the vault has it.
pub(super) fn are_related(
    vault: &Vault,
    one: ObjectId,
    other: ObjectId,
) -> Result<bool, LandError> {
    let output = vault
        .command("merge-base")?
        .args([one.to_string(), other.to_string()])
        .output(&[])?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        Some(_) | None => Ok(output.success("merge-base").map(|_| false)?),
    }
}
