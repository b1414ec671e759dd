//! Differences between trees.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use dogwatch_workspace::diff::{self, PatchError, Stat, Status};

use crate::support::{Scene, bytes_path, content_of, git, git_command, write};

fn edited() -> Scene {
    let scene = Scene::new(|top| {
        write(top.join("renamed"), "the same\n".repeat(50));
        write(top.join("edited"), "one\ntwo\nthree\n");
        write(top.join("mode"), "x");
        write(top.join("kind"), "x");
        write(top.join("data.bin"), [0, 1, 2, 3]);
    });
    let top = &scene.clone;
    fs::rename(top.join("renamed"), top.join(bytes_path(b"n\xebw\nname"))).unwrap();
    write(top.join("edited"), "one\n2\nthree\nfour\n");
    fs::set_permissions(top.join("mode"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(top.join("kind")).unwrap();
    std::os::unix::fs::symlink("edited", top.join("kind")).unwrap();
    write(top.join("data.bin"), [0, 9, 9, 9, 9]);
    scene
}

#[test]
fn a_rename_counts_both_names() {
    let scene = edited();
    let tree = scene.snapshot().tree;
    let changes = diff::changes(&scene.vault, scene.base, tree).unwrap();
    let told: Vec<(&[u8], Status)> = changes
        .iter()
        .map(|change| (change.path.as_bytes(), change.status))
        .collect();
    assert_eq!(
        told,
        [
            (&b"data.bin"[..], Status::Modified),
            (b"edited", Status::Modified),
            (b"kind", Status::TypeChanged),
            (b"mode", Status::Modified),
            (b"n\xebw\nname", Status::Added),
            (b"renamed", Status::Deleted),
        ]
    );
    let mode = &changes[3];
    assert_eq!(
        (mode.old_mode.as_str(), mode.new_mode.as_str()),
        ("100644", "100755")
    );
    let stat = diff::stat(&scene.vault, scene.base, tree).unwrap();
    assert_eq!(
        stat,
        Stat {
            files: 6,
            insertions: 53,
            deletions: 52,
            binary: 1
        }
    );
}

#[test]
fn the_patch_makes_one_tree_of_the_other() {
    let scene = edited();
    let tree = scene.snapshot().tree;
    let patch = diff::patch(&scene.vault, scene.base, tree).unwrap();
    let file = scene.root().join("patch.diff");
    fs::write(&file, &patch).unwrap();
    git(scene.repository(), ["apply".as_ref(), file.as_os_str()]);
    assert_eq!(content_of(scene.repository()), content_of(&scene.clone));

    let mut streamed = Vec::new();
    let written =
        diff::write_patch(&scene.vault, scene.base, tree, &mut streamed, 1 << 20).unwrap();
    assert_eq!((streamed, written), (patch.clone(), patch.len() as u64));
    let error = diff::write_patch(&scene.vault, scene.base, tree, &mut Vec::new(), 10).unwrap_err();
    assert!(
        matches!(error, PatchError::TooLarge { limit: 10 }),
        "{error}"
    );
    assert_eq!(diff::patch(&scene.vault, tree, tree).unwrap(), b"");
    assert!(
        git_command(scene.root())
            .arg("version")
            .status()
            .unwrap()
            .success()
    );
}
