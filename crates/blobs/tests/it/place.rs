//! Where a test keeps its files, and what it finds there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use dogwatch_core::Timestamp;
use dogwatch_core::frame::Stream;
use dogwatch_core::ids::{RunId, uuid_v7};
use dogwatch_store::OutputKey;

/// A run that is the same every time.
pub(crate) fn run() -> RunId {
    RunId::from_uuid(uuid_v7(
        Timestamp::from_micros(1_795_132_800_000_000),
        &[7; 10],
    ))
}

pub(crate) fn stdout() -> OutputKey {
    OutputKey {
        run: run(),
        turn: 1,
        stream: Stream::Stdout,
    }
}

/// Every file and directory below, with its permissions.
pub(crate) fn everything_below(root: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        found.push((path, metadata.permissions().mode() & 0o777));
    }
    found.sort();
    found
}

/// Directories are the owner's alone, and so are files.
pub(crate) fn assert_private(root: &Path) {
    for (path, mode) in everything_below(root) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
    }
}
