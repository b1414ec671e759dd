//! Whether the user's own `.git` is what it was.
//!
//! Without containment an agent can reach the repository it was cloned from. A run compares before and after, and reports.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use dogwatch_core::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::path_bytes::PathBytes;

/// What is looked at: everything that decides what git does or what a branch is. Objects, index and logs change in normal use.
const WATCHED: &[&str] = &[
    "HEAD",
    "config",
    "config.worktree",
    "hooks",
    "info",
    "objects/info/alternates",
    "packed-refs",
    "refs",
    "reftable",
    "shallow",
    "worktrees",
];

/// Below `worktrees` only these, for the same reason.
const WATCHED_PER_WORKTREE: &[&[u8]] = &[b"HEAD", b"commondir", b"config.worktree", b"gitdir"];

/// The state of a common git directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    path: PathBytes,
    kind: Kind,
    mode: u32,
    digest: Sha256Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    File,
    Directory,
    Symlink,
    Special,
}

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content, kind or permission changed.
    Changed,
}

/// One path that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Where, relative to the common git directory.
    pub path: PathBytes,
    /// How.
    pub kind: DifferenceKind,
}

/// A git directory that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("read {path}")]
pub struct FingerprintError {
    path: PathBytes,
    #[source]
    source: io::Error,
}

/// Reads the state of a common git directory.
pub fn fingerprint(common_dir: &Path) -> Result<Fingerprint, FingerprintError> {
    let mut entries = Vec::new();
    let mut pending: Vec<Vec<u8>> = WATCHED
        .iter()
        .map(|path| path.as_bytes().to_vec())
        .collect();
    while let Some(relative) = pending.pop() {
        let path = common_dir.join(PathBytes::new(relative.as_slice()).as_path());
        let found = read_entry(&path, &relative, &mut pending);
        if let Some(entry) = found.map_err(|source| FingerprintError {
            path: path.as_path().into(),
            source,
        })? {
            entries.push(entry);
        }
    }
    entries.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    Ok(Fingerprint { entries })
}

fn read_entry(
    path: &Path,
    relative: &[u8],
    pending: &mut Vec<Vec<u8>>,
) -> io::Result<Option<Entry>> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let kind = metadata.file_type();
    let (kind, digest) = if kind.is_symlink() {
        (
            Kind::Symlink,
            Sha256Digest::of(fs::read_link(path)?.as_os_str().as_bytes()),
        )
    } else if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            let child = [relative, b"/", entry?.file_name().as_bytes()].concat();
            if is_watched(&child) {
                pending.push(child);
            }
        }
        (Kind::Directory, Sha256Digest::of(b""))
    } else if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device()
    {
        (Kind::Special, Sha256Digest::of(b""))
    } else {
        (Kind::File, Sha256Digest::of(&fs::read(path)?))
    };
    let mode = metadata.permissions().mode() & 0o7777;
    Ok(Some(Entry {
        path: relative.into(),
        kind,
        mode,
        digest,
    }))
}

fn is_watched(child: &[u8]) -> bool {
    match child.strip_prefix(b"worktrees/") {
        Some(below) => match below.iter().position(|byte| *byte == b'/') {
            Some(slash) => WATCHED_PER_WORKTREE.contains(&&below[slash + 1..]),
            None => true,
        },
        None => true,
    }
}

impl Fingerprint {
    /// What is different in `later`, by path.
    pub fn compare(&self, later: &Self) -> Vec<Difference> {
        let mut found: BTreeMap<&PathBytes, (Option<&Entry>, Option<&Entry>)> = BTreeMap::new();
        for entry in &self.entries {
            found.entry(&entry.path).or_default().0 = Some(entry);
        }
        for entry in &later.entries {
            found.entry(&entry.path).or_default().1 = Some(entry);
        }
        found
            .into_iter()
            .filter_map(|(path, pair)| {
                let kind = match pair {
                    (before, after) if before == after => return None,
                    (None, _) => DifferenceKind::Added,
                    (_, None) => DifferenceKind::Removed,
                    (Some(_), Some(_)) => DifferenceKind::Changed,
                };
                Some(Difference {
                    path: path.clone(),
                    kind,
                })
            })
            .collect()
    }
}
