//! The user's `.git`, before and after.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use dogwatch_workspace::fingerprint::{DifferenceKind, fingerprint};

use crate::support::{Scene, git, write};

#[test]
fn what_decides_behaviour_is_watched_and_daily_work_is_not() {
    let scene = Scene::new(|top| write(top.join("file"), "x"));
    git(
        scene.repository(),
        ["worktree", "add", "-q", "-b", "other", "../linked"],
    );
    let common = scene.checkout.common_dir();
    let before = fingerprint(common).unwrap();
    write(scene.repository().join("file"), "y");
    git(scene.repository(), ["add", "file"]);
    git(&scene.root().join("linked"), ["status"]);
    assert_eq!(before.compare(&fingerprint(common).unwrap()), []);

    git(scene.repository(), ["config", "core.fsmonitor", "evil"]);
    write(common.join("hooks/post-checkout"), "#!/bin/sh\n");
    fs::set_permissions(
        common.join("hooks/post-checkout"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    git(scene.repository(), ["branch", "planted"]);
    fs::remove_file(common.join("refs/heads/other")).unwrap();
    write(common.join("worktrees/linked/commondir"), "/elsewhere\n");
    write(common.join("objects/info/alternates"), "/elsewhere\n");
    let differences = before.compare(&fingerprint(common).unwrap());
    let told: Vec<(&str, DifferenceKind)> = differences
        .iter()
        .map(|difference| (difference.path.as_str().unwrap(), difference.kind))
        .collect();
    assert_eq!(
        told,
        [
            ("config", DifferenceKind::Changed),
            ("hooks", DifferenceKind::Added),
            ("hooks/post-checkout", DifferenceKind::Added),
            ("objects/info/alternates", DifferenceKind::Added),
            ("refs/heads/other", DifferenceKind::Removed),
            ("refs/heads/planted", DifferenceKind::Added),
            ("worktrees/linked/commondir", DifferenceKind::Changed),
        ]
    );
    let json = serde_json::to_string(&before).unwrap();
    assert_eq!(
        serde_json::from_str::<dogwatch_workspace::fingerprint::Fingerprint>(&json).unwrap(),
        before
    );
}

#[test]
fn making_a_clone_and_a_snapshot_leaves_it_alone() {
    let scene = Scene::new(|top| write(top.join("file"), "x"));
    let before = fingerprint(scene.checkout.common_dir()).unwrap();
    write(scene.clone.join("file"), "y");
    scene.snapshot();
    scene.checkout.dirty().unwrap();
    assert_eq!(
        before.compare(&fingerprint(scene.checkout.common_dir()).unwrap()),
        []
    );
}
