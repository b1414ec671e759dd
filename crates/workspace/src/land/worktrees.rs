//! The worktrees of the user's repository, and what is going on in them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::LandError;
use super::error::io_error;
use crate::checkout::Checkout;

/// A directory with the files of one branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Worktree {
    /// Where the files are.
    pub(super) files: PathBuf,
    /// Its own git directory.
    pub(super) git_dir: PathBuf,
}

/// What makes a worktree one to leave alone, by the file that says so.
const OPERATIONS: &[(&str, &str)] = &[
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase"),
    ("sequencer", "a cherry-pick"),
    ("BISECT_LOG", "a bisection"),
];

/// The worktree that has the branch checked out, if one does. Refuses when something is going on with the branch anywhere.
pub(super) fn holding(checkout: &Checkout, reference: &str) -> Result<Option<Worktree>, LandError> {
    let listing = checkout
        .command("worktree")?
        .args(["list", "--porcelain", "-z"])
        .run()?;
    let mut held = None;
    for (path, branch) in parse(&listing) {
        let has_it = branch.as_deref() == Some(reference.as_bytes());
        if !path.is_dir() {
            if has_it {
                return Err(LandError::WorktreeMissing {
                    branch: reference.into(),
                    worktree: path.into(),
                });
            }
            continue;
        }
        let git_dir = git_dir_of(checkout, &path)?;
        if let Some(operation) = operation_on(&git_dir, reference, has_it)? {
            return Err(LandError::InProgress {
                branch: reference.into(),
                operation,
                worktree: path.into(),
            });
        }
        if has_it {
            let found = Worktree {
                files: path,
                git_dir,
            };
            if held.replace(found).is_some() {
                return Err(LandError::CheckedOutTwice {
                    branch: reference.into(),
                });
            }
        }
    }
    Ok(held)
}

/// Paths and branches of what `git worktree list --porcelain -z` prints.
fn parse(listing: &[u8]) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found: Vec<(PathBuf, Option<Vec<u8>>)> = Vec::new();
    for field in listing.split(|byte| *byte == 0) {
        if let Some(path) = field.strip_prefix(b"worktree ") {
            found.push((PathBuf::from(OsString::from_vec(path.to_vec())), None));
        } else if field == b"bare" {
            // A repository without files of its own, to which the worktrees belong.
            found.pop();
        } else if let (Some(branch), Some(last)) =
            (field.strip_prefix(b"branch "), found.last_mut())
        {
            last.1 = Some(branch.to_vec());
        }
    }
    found
}

fn git_dir_of(checkout: &Checkout, files: &Path) -> Result<PathBuf, LandError> {
    if files == checkout.top_level() {
        return Ok(checkout.git_dir().to_owned());
    }
    Ok(Checkout::discover(files)?.git_dir().to_owned())
}

fn operation_on(
    git_dir: &Path,
    reference: &str,
    checked_out: bool,
) -> Result<Option<&'static str>, LandError> {
    if checked_out {
        let found = OPERATIONS
            .iter()
            .find(|(name, _)| git_dir.join(name).symlink_metadata().is_ok());
        return Ok(found.map(|(_, operation)| *operation));
    }
    // A rebase or bisection detaches HEAD and remembers the branch in a file.
    for (name, operation) in [
        ("rebase-merge/head-name", "a rebase"),
        ("rebase-apply/head-name", "a rebase"),
        ("BISECT_START", "a bisection"),
    ] {
        let path = git_dir.join(name);
        match fs::read(&path) {
            Ok(text) => {
                let text = text.trim_ascii_end();
                let short = reference.strip_prefix("refs/heads/").unwrap_or(reference);
                if text == reference.as_bytes() || text == short.as_bytes() {
                    return Ok(Some(operation));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(io_error("read", &path)(error)),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worktrees_are_read_with_their_branches() {
        let listing = b"worktree /a\nb\0HEAD 1\0branch refs/heads/main\0\0worktree /c\0HEAD 1\0detached\0\0worktree /d\0bare\0\0";
        let found = parse(listing);
        assert_eq!(
            found,
            [
                (PathBuf::from("/a\nb"), Some(b"refs/heads/main".to_vec())),
                (PathBuf::from("/c"), None),
            ]
        );
    }
}
