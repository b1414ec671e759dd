//! What every working copy has in common.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::git::{GitCommand, GitError};
use crate::object_id::ObjectId;
use crate::path_bytes::PathBytes;
use crate::vault::{Vault, VaultError};

/// A working copy that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CloneError {
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
    /// The branch name is not one that dogwatch would choose.
    #[error("use `{}` as the name of a branch", PathBytes::from(name.as_str()))]
    BranchName {
        /// What was given.
        name: String,
    },
    /// The vault could not be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Files are checked out as the bytes they were committed with and compared as such: no line-ending, keyword, encoding or filter
/// conversion (and so no LFS download). Tree T is made of real bytes, and this way git inside the copy agrees with it.
const ATTRIBUTES: &str = "* -text -crlf !eol -ident !filter !working-tree-encoding\n";

/// Makes a repository in a fresh directory. HEAD is `branch` at `head`; nothing is checked out.
pub(crate) fn prepare(
    vault: &Vault,
    head: ObjectId,
    directory: &Path,
    branch: &str,
) -> Result<PathBuf, CloneError> {
    check_branch(branch)?;
    let directory = std::path::absolute(directory).map_err(io_error("locate", directory))?;
    DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .map_err(io_error("create", &directory))?;
    GitCommand::init(&directory, vault.object_format(), branch, false)?.run()?;
    let git_dir = directory.join(".git");
    write(
        &git_dir.join("objects/info/alternates"),
        &alternates_line(&vault.objects()),
    )?;
    write(&git_dir.join("info/attributes"), ATTRIBUTES.as_bytes())?;
    let shallow: String = vault
        .shallow()?
        .iter()
        .map(|id| format!("{id}\n"))
        .collect();
    if !shallow.is_empty() {
        write(&git_dir.join("shallow"), shallow.as_bytes())?;
    }
    write(
        &git_dir.join("refs/heads").join(branch),
        format!("{head}\n").as_bytes(),
    )?;
    Ok(directory)
}

/// Fills the index and the directory from a tree, in one process.
pub(crate) fn check_out(directory: &Path, tree: ObjectId) -> Result<(), CloneError> {
    GitCommand::trusted(&directory.join(".git"), "read-tree")?
        .work_tree(directory)
        .args(["--reset", "-u", "--no-recurse-submodules"])
        .arg(tree.to_string())
        .run()?;
    Ok(())
}

/// One line of `objects/info/alternates`. git unquotes a line that starts with a quote, and only a line break needs it.
pub(crate) fn alternates_line(objects: &Path) -> Vec<u8> {
    let path = objects.as_os_str().as_bytes();
    let mut line = Vec::with_capacity(path.len() + 1);
    if path.contains(&b'\n') {
        crate::git::quote_path(path, &mut line);
    } else {
        line.extend_from_slice(path);
    }
    line.push(b'\n');
    line
}

pub(crate) fn check_branch(name: &str) -> Result<(), CloneError> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && !part.ends_with('.')
            && !part.ends_with(".lock")
            && !part.contains("..")
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    if name.len() <= 200 && name.split('/').all(plain) {
        return Ok(());
    }
    Err(CloneError::BranchName {
        name: name.to_owned(),
    })
}

fn write(path: &Path, content: &[u8]) -> Result<(), CloneError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    }
    fs::write(path, content).map_err(io_error("write", path))
}

pub(crate) fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> CloneError {
    let path = PathBytes::from(path);
    move |source| CloneError::Io {
        action,
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_names_cannot_leave_their_place() {
        for good in ["dogwatch/a1b2c3", "main", "a.b/c-d_e"] {
            assert!(check_branch(good).is_ok(), "{good}");
        }
        for bad in [
            "", "-x", "../x", "a//b", "a/../b", "x.lock", "a b", "a\n", "/a", "a/", "\u{3000}",
        ] {
            assert!(check_branch(bad).is_err(), "{bad}");
        }
    }
}
