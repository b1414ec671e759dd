//! Snapshots outlive what they were taken of.

use std::fs;

use dogwatch_workspace::snapshot::{RestoreError, restore};
use dogwatch_workspace::{Snapshot, SnapshotError, SnapshotRequest, snapshot};

use crate::support::{AT, Scene, content_of, git_text, run, write};

#[test]
fn the_workspace_may_go_and_nothing_is_lost() {
    for format in ["sha1", "sha256"] {
        let scene = Scene::with_format(format, |top| write(top.join("kept"), "kept"));
        write(scene.clone.join("new/file"), "new");
        std::os::unix::fs::symlink("nowhere", scene.clone.join("link")).unwrap();
        let expected = content_of(&scene.clone);
        let snapshot = scene.snapshot();
        fs::remove_dir_all(&scene.clone).unwrap();
        fs::remove_dir_all(scene.repository()).unwrap();
        let restored = scene.root().join("restored");
        restore(&scene.vault, snapshot.tree, &restored).unwrap();
        assert_eq!(content_of(&restored), expected);
        scene.fsck();
        assert!(matches!(
            restore(&scene.vault, snapshot.tree, &restored),
            Err(RestoreError::NotEmpty { .. })
        ));
        let json = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot);
    }
}

#[test]
fn the_same_again_is_the_same_and_another_is_refused() {
    let scene = Scene::new(|top| write(top.join("file"), "before"));
    write(scene.clone.join("file"), "after");
    let first = scene.snapshot();
    assert_eq!(scene.snapshot(), first);
    write(scene.clone.join("file"), "later");
    assert!(matches!(
        scene.try_snapshot("turn-001"),
        Err(SnapshotError::Exists { .. })
    ));
    let vault = scene.vault.path();
    assert_eq!(
        git_text(vault, ["--git-dir=.", "rev-parse", &first.name]),
        first.commit.to_string()
    );
    assert_eq!(scene.content(first.tree, "file"), b"after");
    for label in [
        "", "../x", "Turn", "a/b", "-x", "a b", "x.lock", "history", "result",
    ] {
        assert!(
            matches!(scene.try_snapshot(label), Err(SnapshotError::Label { .. })),
            "{label}"
        );
    }
}

#[test]
fn later_turns_follow_the_ones_before() {
    let scene = Scene::new(|top| {
        write(top.join("one"), "1");
        write(top.join("two"), "2");
    });
    fs::remove_file(scene.clone.join("one")).unwrap();
    write(scene.clone.join("three"), "3");
    let first = scene.snapshot();
    write(scene.clone.join("one"), "1");
    fs::remove_file(scene.clone.join("three")).unwrap();
    let request = SnapshotRequest {
        workspace: scene.clone.as_path().into(),
        base: scene.base,
        run: run(),
        label: "turn-002",
        parent: first.commit,
        message: "turn 2",
        at: AT,
        limits: Default::default(),
    };
    let second = snapshot::create(&scene.vault, &request).unwrap();
    assert_eq!(
        second.tree,
        scene.base_tree(),
        "T is read against base, not against the turn before"
    );
    let vault = scene.vault.path();
    let log = git_text(
        vault,
        ["--git-dir=.", "log", "--format=%H %an %at %s", &second.name],
    );
    let expected = [
        format!("{} dogwatch 1763656200 turn 2", second.commit),
        format!("{} dogwatch 1763656200 turn 1", first.commit),
    ];
    assert!(log.starts_with(&expected.join("\n")), "{log}");
}

#[test]
fn a_tree_that_would_write_a_repository_is_not_restored() {
    let scene = Scene::new(|top| write(top.join("dw%%2Egit/hooks/x"), "evil"));
    let tree = scene.base_tree();
    let refused = restore(&scene.vault, tree, &scene.root().join("restored"));
    assert!(matches!(refused, Err(RestoreError::Repository { .. })));
    // Read by the walker, the same name is one that comes back as it is.
    let snapshot = scene.snapshot();
    restore(&scene.vault, snapshot.tree, &scene.root().join("again")).unwrap();
    assert_eq!(
        content_of(&scene.root().join("again")),
        content_of(&scene.clone)
    );
}
