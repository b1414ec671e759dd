//! Checking out a base commit for sharing.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::PristineError;
use super::error::io_error;
use super::record::{EntryPaths, Record};
use crate::clone::layout::{check_out, prepare};
use crate::directory_stack::DirectoryStack;
use crate::git::{GitCommand, GitError};
use crate::object_id::ObjectId;
use crate::os::{self, EntryKind};
use crate::tree::{Listing, escape_component};
use crate::vault::Vault;

/// Whom files belong to. An overlay shows the owners of its layers, so an agent that is somebody else could not change a file of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// The overlay gives files other devices, inodes and change times than those the index was written with, so git is told to compare
/// only what stays: size and time of modification. Otherwise the first `git status` of every run would read every file.
const CONFIGURATION: &str = "[core]\n\tcheckStat = minimal\n\ttrustctime = false\n";

/// Fills `entry`, which must not exist, and writes the record at the end.
pub(super) fn make(
    vault: &Vault,
    base: ObjectId,
    owner: Option<Owner>,
    entry: &EntryPaths,
) -> Result<(), PristineError> {
    let io = io_error("make", &entry.top);
    let listing = Listing::read(vault, base, true)?;
    check_names(&listing)?;
    DirBuilder::new()
        .mode(0o700)
        .create(&entry.top)
        .map_err(&io)?;
    let tree = prepare(vault, base, &entry.tree(), "dogwatch")?;
    make_neutral(&tree, base).map_err(io_error("write", &tree.join(".git")))?;
    check_out(&tree, base)?;
    let index = fs::symlink_metadata(entry.index()).map_err(io_error("inspect", &entry.index()))?;
    let seconds = modification_time(vault, base, index.mtime() - 10)?;
    each_entry(&tree, &mut |directory, name, kind, top| {
        if kind == EntryKind::Directory || (top && name == b".git") {
            return Ok(());
        }
        os::set_modified(directory, name, seconds)
    })
    .map_err(io_error("set the times of", &tree))?;
    GitCommand::trusted(&tree.join(".git"), "update-index")?
        .work_tree(&tree)
        .args(["-q", "--refresh"])
        .run()?;
    if let Some(Owner { uid, gid }) = owner {
        each_entry(&tree, &mut |directory, name, _, _| {
            os::give_to(directory, name, (uid, gid))
        })
        .and_then(|()| std::os::unix::fs::lchown(&tree, Some(uid), Some(gid)))
        .map_err(io_error("change the owner of", &tree))?;
    }
    listing.save(&entry.listing()).map_err(&io)?;
    let bytes = listing.total_size() + 4096 * listing.len() as u64;
    Record::of(entry, base, owner, bytes)
        .and_then(|record| record.write(entry))
        .and_then(|()| fs::set_permissions(&entry.top, Permissions::from_mode(0o500)))
        .map_err(io)
}

/// Names that the walker would escape differ between the workspace and the tree, which an unread lower layer cannot express.
fn check_names(listing: &Listing) -> Result<(), PristineError> {
    for index in 0..listing.len() {
        let path = listing.path(index);
        let odd = |name: &[u8]| *escape_component(name, false) != *name;
        if path.split(|byte| *byte == b'/').any(odd) {
            return Err(PristineError::Name { path: path.into() });
        }
    }
    Ok(())
}

/// HEAD is the commit itself: branches are the business of the runs.
fn make_neutral(tree: &Path, base: ObjectId) -> io::Result<()> {
    let git_dir = tree.join(".git");
    fs::write(git_dir.join("HEAD"), format!("{base}\n"))?;
    fs::remove_file(git_dir.join("refs/heads/dogwatch"))?;
    let mut config = OpenOptions::new()
        .append(true)
        .open(git_dir.join("config"))?;
    config.write_all(CONFIGURATION.as_bytes())
}

/// When all files were modified: when the commit was made, so that a checkout that is made again is the same to tools that compare
/// times. It lies before the index was written, so that git need not doubt it.
fn modification_time(vault: &Vault, base: ObjectId, latest: i64) -> Result<i64, GitError> {
    let said = vault
        .command("rev-list")?
        .args(["--max-count=1", "--no-commit-header", "--format=%ct"])
        .arg(base.to_string())
        .run()?;
    let committed: i64 = std::str::from_utf8(said.trim_ascii())
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| {
            GitError::unexpected(
                "rev-list",
                format!("`{}`", crate::PathBytes::new(said.as_slice())),
            )
        })?;
    // Some archivers and build tools know no earlier year than 1980.
    Ok(committed.max(315_619_200).min(latest))
}

/// What is done with an entry: its directory, its name, what it is, and whether it is at the top.
type Visit<'a> = dyn FnMut(BorrowedFd<'_>, &[u8], EntryKind, bool) -> io::Result<()> + 'a;

/// Visits everything below a directory that only dogwatch has written to.
fn each_entry(root: &Path, visit: &mut Visit<'_>) -> io::Result<()> {
    let mut directories = DirectoryStack::open(root)?;
    let mut pending: Vec<Vec<Vec<u8>>> = Vec::new();
    loop {
        let mut below = Vec::new();
        let current = directories.current()?;
        for name in os::entries(current)? {
            let kind = os::metadata_at(current, &name)?.kind;
            visit(current, &name, kind, pending.is_empty())?;
            if kind == EntryKind::Directory {
                below.push(name);
            }
        }
        pending.push(below);
        loop {
            match pending.last_mut().map(Vec::pop) {
                None => return Ok(()),
                Some(Some(name)) => {
                    directories.enter(&name)?;
                    break;
                }
                Some(None) => {
                    pending.pop();
                    directories.leave();
                }
            }
        }
    }
}
