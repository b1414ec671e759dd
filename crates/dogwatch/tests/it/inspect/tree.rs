//! Everything below a directory, to see that a command changed nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The mode and bytes of every path below a directory; a link's bytes are where it points.
///
/// SQLite's own index of its write-ahead log is left out: it is the one file a reader may make again.
#[track_caller]
pub(crate) fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).expect("it was listed");
        let bytes = if metadata.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .expect("a directory")
                    .map(|entry| entry.expect("an entry").path()),
            );
            Vec::new()
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).expect("a link");
            target.as_os_str().as_bytes().to_vec()
        } else {
            fs::read(&path).expect("a file")
        };
        if path.extension().is_none_or(|end| end != "db-shm") {
            found.insert(path, (metadata.permissions().mode(), bytes));
        }
    }
    found
}

/// Panics unless both are the same, and names what is not.
#[track_caller]
pub(crate) fn assert_same(
    before: &BTreeMap<PathBuf, (u32, Vec<u8>)>,
    after: &BTreeMap<PathBuf, (u32, Vec<u8>)>,
    what: &str,
) {
    let differs = |path: &&PathBuf| before.get(*path) != after.get(*path);
    let changed: Vec<_> = before.keys().chain(after.keys()).filter(differs).collect();
    assert!(changed.is_empty(), "{what} changed {changed:?}");
}
