//! What lies in a worktree where the result needs room.
//!
//! git protects untracked files, but it takes ignored ones for things it may overwrite. An agent that names one of the user's ignored
//! files in its result must not get to replace it, so the room is checked here.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::LandError;
use super::error::io_error;
use crate::path_bytes::PathList;

/// Files in `worktree` that are not `tracked` and in the way of `added` paths.
pub(super) fn in_the_way(
    worktree: &Path,
    tracked: &BTreeSet<Vec<u8>>,
    added: &[Vec<u8>],
) -> Result<PathList, LandError> {
    let mut found = BTreeSet::new();
    for path in added {
        look(worktree, tracked, path, &mut found)?;
    }
    let mut list = PathList::default();
    for path in found {
        list.push(&path);
    }
    Ok(list)
}

fn look(
    worktree: &Path,
    tracked: &BTreeSet<Vec<u8>>,
    path: &[u8],
    found: &mut BTreeSet<Vec<u8>>,
) -> Result<(), LandError> {
    let ends = path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(index, _)| index)
        .chain([path.len()]);
    for end in ends {
        let part = &path[..end];
        let place = worktree.join(OsStr::from_bytes(part));
        let metadata = match fs::symlink_metadata(&place) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error("look at", &place)(error)),
        };
        if !metadata.is_dir() {
            // A tracked file makes room by itself.
            if !tracked.contains(part) {
                found.insert(part.to_vec());
            }
            return Ok(());
        }
        if end == path.len() {
            untracked_below(worktree, tracked, part, found)?;
        }
    }
    Ok(())
}

/// The files below a directory that has to become a file.
fn untracked_below(
    worktree: &Path,
    tracked: &BTreeSet<Vec<u8>>,
    top: &[u8],
    found: &mut BTreeSet<Vec<u8>>,
) -> Result<(), LandError> {
    let mut pending = vec![top.to_vec()];
    while let Some(directory) = pending.pop() {
        let place = worktree.join(OsStr::from_bytes(&directory));
        for entry in fs::read_dir(&place).map_err(io_error("read", &place))? {
            let entry = entry.map_err(io_error("read", &place))?;
            let path = [&directory, &b"/"[..], entry.file_name().as_bytes()].concat();
            if entry
                .file_type()
                .map_err(io_error("read", &place))?
                .is_dir()
            {
                pending.push(path);
            } else if !tracked.contains(&path) {
                found.insert(path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_git_does_not_know_is_in_the_way() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        for path in [
            "known",
            "unknown",
            "dir/known",
            "mixed/known",
            "mixed/new/unknown",
            "block",
        ] {
            write(path);
        }
        std::os::unix::fs::symlink("dir", root.path().join("link")).unwrap();
        let tracked: BTreeSet<Vec<u8>> = ["known", "dir/known", "mixed/known"]
            .map(|path| path.as_bytes().to_vec())
            .into();
        let of = |path: &str| {
            let list = in_the_way(root.path(), &tracked, &[path.as_bytes().to_vec()]).unwrap();
            list.sample
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(of("free"), [""; 0]);
        assert_eq!(of("known"), [""; 0]);
        assert_eq!(of("known/below"), [""; 0]);
        assert_eq!(of("dir"), [""; 0]);
        assert_eq!(of("unknown"), ["unknown"]);
        assert_eq!(of("block/below"), ["block"]);
        assert_eq!(of("link/below"), ["link"]);
        assert_eq!(of("mixed"), ["mixed/new/unknown"]);
    }
}
