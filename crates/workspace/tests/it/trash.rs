//! Removing anything.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dogwatch_workspace::Trash;

use crate::support::write;

/// Makes directories below each other without ever naming a path that is too long.
pub(crate) fn deep(top: &Path, depth: usize, name: &str) {
    let script = format!(
        "import os\nfor i in range({depth}):\n    os.mkdir('{name}')\n    os.chdir('{name}')\nopen('bottom','w').write('x')\n"
    );
    let status = std::process::Command::new("python3")
        .arg("-c")
        .arg(script)
        .current_dir(top)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn deep_locked_and_linked_directories_go() {
    let root = tempfile::tempdir().unwrap();
    let outside = root.path().join("outside");
    write(outside.join("precious"), "x");
    let doomed = root.path().join("doomed");
    write(doomed.join("a/b/file"), "x");
    write(doomed.join("d1/d2/d3/file"), "x");
    fs::create_dir_all(doomed.join("d2")).unwrap();
    std::os::unix::fs::symlink(&outside, doomed.join("link")).unwrap();
    deep(&doomed, 4096, "d");
    fs::set_permissions(doomed.join("a/b/file"), fs::Permissions::from_mode(0o0)).unwrap();
    for path in ["a/b", "a", "d1/d2/d3", "d1"] {
        fs::set_permissions(doomed.join(path), fs::Permissions::from_mode(0o0)).unwrap();
    }
    fs::set_permissions(&doomed, fs::Permissions::from_mode(0o500)).unwrap();
    let trash = Trash::of(root.path());
    trash.remove(&doomed).unwrap();
    assert!(!doomed.exists());
    assert_eq!(fs::read_dir(root.path().join("trash")).unwrap().count(), 0);
    assert_eq!(fs::read(outside.join("precious")).unwrap(), b"x");
    trash.remove(&doomed).unwrap();
}

#[test]
fn what_a_killed_removal_left_is_swept() {
    let root = tempfile::tempdir().unwrap();
    let trash = Trash::of(root.path());
    assert_eq!(trash.sweep().unwrap(), 0);
    write(root.path().join("trash/1-0/d7/x/file"), "x");
    write(root.path().join("trash/1-1/0/file"), "x");
    assert_eq!(trash.sweep().unwrap(), 2);
    assert_eq!(fs::read_dir(root.path().join("trash")).unwrap().count(), 0);
}

#[test]
fn a_link_is_removed_and_not_what_it_names() {
    let root = tempfile::tempdir().unwrap();
    write(root.path().join("target/file"), "x");
    std::os::unix::fs::symlink(root.path().join("target"), root.path().join("link")).unwrap();
    Trash::of(root.path())
        .remove(&root.path().join("link"))
        .unwrap();
    assert!(root.path().join("target/file").exists());
    assert!(fs::symlink_metadata(root.path().join("link")).is_err());
}
