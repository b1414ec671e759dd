//! The files of a worktree: whether they are the user's, and making them those of another commit.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::LandError;
use super::error::io_error;
use super::worktrees::Worktree;
use crate::git::{GitCommand, GitError};
use crate::object_id::{BlobHasher, ObjectId};
use crate::path_bytes::{PathBytes, PathList};
use crate::vault::Vault;

/// A path that two commits do not have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) path: Vec<u8>,
    /// What it was; none if it is new.
    pub(super) old: Option<ObjectId>,
    /// What it will be; none if it goes.
    pub(super) new: Option<ObjectId>,
    /// One of both is a submodule.
    pub(super) submodule: bool,
}

/// What differs between two commits or trees of the vault.
pub(super) fn differences(
    vault: &Vault,
    old: ObjectId,
    new: ObjectId,
) -> Result<Vec<Difference>, GitError> {
    let output = vault
        .command("diff-tree")?
        .args(["-r", "-z", "--raw", "--no-renames", "--no-abbrev"])
        .args([old.to_string(), new.to_string()])
        .run()?;
    let mut fields = output.split(|byte| *byte == 0);
    let mut found = Vec::new();
    while let Some(header) = fields.next().filter(|header| !header.is_empty()) {
        let difference = fields.next().and_then(|path| parse_raw(header, path));
        found.push(difference.ok_or_else(|| {
            GitError::unexpected("diff-tree", format!("`{}`", PathBytes::new(header)))
        })?);
    }
    Ok(found)
}

fn parse_raw(header: &[u8], path: &[u8]) -> Option<Difference> {
    let header = std::str::from_utf8(header.strip_prefix(b":")?).ok()?;
    let mut fields = header.split(' ');
    let (old_mode, new_mode) = (fields.next()?, fields.next()?);
    let (old, new): (ObjectId, ObjectId) =
        (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Difference {
        path: path.to_vec(),
        old: (old_mode != "000000").then_some(old),
        new: (new_mode != "000000").then_some(new),
        submodule: [old_mode, new_mode].contains(&"160000"),
    })
}

/// Every path of a commit.
pub(super) fn tracked(vault: &Vault, commit: ObjectId) -> Result<BTreeSet<Vec<u8>>, GitError> {
    let listing = vault
        .command("ls-tree")?
        .args(["-r", "-z", "--full-tree", "--name-only"])
        .arg(commit.to_string())
        .run()?;
    Ok(paths(&listing))
}

fn paths(listing: &[u8]) -> BTreeSet<Vec<u8>> {
    listing
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

/// Refuses a worktree in which anything git knows is changed. Untracked files stay where they are, and do not matter here.
pub(super) fn clean(worktree: &Worktree) -> Result<(), LandError> {
    let status = GitCommand::in_user_repository(&worktree.files, "status")?
        .args([
            "--porcelain=v1",
            "-z",
            "--no-renames",
            "--untracked-files=no",
            "--ignore-submodules=dirty",
        ])
        .run()?;
    let mut found = PathList::default();
    for record in status.split(|byte| *byte == 0).filter(|r| !r.is_empty()) {
        found.push_within(record.get(3..).unwrap_or_default(), 20);
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(LandError::Dirty {
        worktree: worktree.files.as_path().into(),
        count: found.count,
        sample: found.sample,
    })
}

/// Makes the files those of `new`, where they are those of `old`. git checks that before it writes anything.
pub(super) fn advance(
    worktree: &Worktree,
    index: &Path,
    old: ObjectId,
    new: ObjectId,
) -> Result<(), LandError> {
    copy_index(worktree, index)?;
    GitCommand::landing_in(&worktree.files, "read-tree")?
        .index_file(index)
        .args(["-m", "-u", "--no-recurse-submodules"])
        .args([old.to_string(), new.to_string()])
        .run()?;
    Ok(())
}

/// Makes the files those of `wanted`, where each is that of `wanted`, that of `other`, or something in between.
pub(super) fn force(
    worktree: &Worktree,
    index: &Path,
    other: ObjectId,
    wanted: ObjectId,
) -> Result<(), LandError> {
    copy_index(worktree, index)?;
    // First the index knows every file of the other commit, so that those that are not wanted are removed.
    for (options, commit) in [(&["--reset"][..], other), (&["--reset", "-u"], wanted)] {
        GitCommand::landing_in(&worktree.files, "read-tree")?
            .index_file(index)
            .args(options)
            .arg("--no-recurse-submodules")
            .arg(commit.to_string())
            .run()?;
    }
    // Entries that were only read have no file times yet; a difference is nothing to fail for.
    GitCommand::landing_in(&worktree.files, "update-index")?
        .index_file(index)
        .args(["-q", "--refresh"])
        .output(&[])?;
    Ok(())
}

fn copy_index(worktree: &Worktree, index: &Path) -> Result<(), LandError> {
    let from = worktree.git_dir.join("index");
    for leftover in [index.to_owned(), index.with_extension("lock")] {
        match fs::remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", &leftover)(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    match fs::copy(&from, index) {
        // A repository without files need not have one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map(drop).map_err(io_error("copy", &from)),
    }
}

/// Refuses to finish a landing over anything that is not a part of it: each changed path must hold its old or its new content, the
/// beginning of the new, or nothing; everything else must be as committed.
pub(super) fn only_landing(
    vault: &Vault,
    worktree: &Worktree,
    index: &Path,
    old: ObjectId,
    new: ObjectId,
) -> Result<(), LandError> {
    copy_index(worktree, index)?;
    let command = |name| -> Result<GitCommand, GitError> {
        Ok(GitCommand::landing_in(&worktree.files, name)?.index_file(index))
    };
    let changed = |detail, paths| LandError::InterruptedAndChanged {
        worktree: worktree.files.as_path().into(),
        detail,
        paths,
    };
    command("update-index")?
        .args(["-q", "--refresh"])
        .output(&[])?;
    let mut staged = None;
    for commit in [old, new] {
        let differing = command("diff-index")?
            .args(["--cached", "--name-only", "-z", "--ignore-submodules=dirty"])
            .arg(commit.to_string())
            .run()?;
        if differing.is_empty() {
            staged = None;
            break;
        }
        staged.get_or_insert(differing);
    }
    if let Some(differing) = staged {
        return Err(changed(
            "the index has other changes",
            list(paths(&differing)),
        ));
    }
    let unstaged = command("diff-files")?
        .args(["--name-only", "-z", "--ignore-submodules=dirty"])
        .run()?;
    let differences = differences(vault, old, new)?;
    let known: BTreeSet<&[u8]> = differences.iter().map(|d| d.path.as_slice()).collect();
    let foreign: BTreeSet<Vec<u8>> = paths(&unstaged)
        .into_iter()
        .filter(|path| !known.contains(path.as_slice()))
        .collect();
    if !foreign.is_empty() {
        return Err(changed("files have changes of their own", list(foreign)));
    }
    let mut edited = BTreeSet::new();
    for difference in &differences {
        if !is_part(vault, worktree, difference)? {
            edited.insert(difference.path.clone());
        }
    }
    if edited.is_empty() {
        return Ok(());
    }
    Err(changed("files were changed since", list(edited)))
}

fn list(paths: BTreeSet<Vec<u8>>) -> PathList {
    let mut list = PathList::default();
    for path in paths {
        list.push(&path);
    }
    list
}

/// Whether what is at a path can be a landing that stopped anywhere.
fn is_part(vault: &Vault, worktree: &Worktree, difference: &Difference) -> Result<bool, LandError> {
    let place = worktree.files.join(OsStr::from_bytes(&difference.path));
    let format = vault.object_format();
    let either = |id: ObjectId| difference.old == Some(id) || difference.new == Some(id);
    let metadata = match fs::symlink_metadata(&place) {
        Ok(metadata) => metadata,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(true);
        }
        Err(error) => return Err(io_error("look at", &place)(error)),
    };
    if metadata.is_dir() {
        // Its files are looked at by their own paths.
        return Ok(true);
    }
    if metadata.is_symlink() {
        let target = fs::read_link(&place).map_err(io_error("read", &place))?;
        return Ok(either(BlobHasher::blob(
            format,
            target.as_os_str().as_bytes(),
        )));
    }
    if !metadata.is_file() {
        return Ok(false);
    }
    let content = fs::read(&place).map_err(io_error("read", &place))?;
    if either(BlobHasher::blob(format, &content)) {
        return Ok(true);
    }
    let filtered = GitCommand::landing_in(&worktree.files, "hash-object")?
        .arg("--")
        .arg(&place)
        .run()?;
    if ObjectId::from_hex(filtered.trim_ascii_end()).is_ok_and(either) {
        return Ok(true);
    }
    let Some(new) = difference.new else {
        return Ok(false);
    };
    let whole = vault
        .command("cat-file")?
        .arg("blob")
        .arg(new.to_string())
        .run()?;
    Ok(whole.starts_with(&content))
}
