//! Nothing an agent leaves in its workspace is executed by us.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dogwatch_workspace::fingerprint::fingerprint;
use dogwatch_workspace::snapshot::restore;
use dogwatch_workspace::{Checkout, Export, Trash, diff};

use crate::support::{Scene, git_command, write};

pub(crate) const HOOKS: &[&str] = &[
    "applypatch-msg",
    "fsmonitor-watchman",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "pre-receive",
    "prepare-commit-msg",
    "proc-receive",
    "push-to-checkout",
    "reference-transaction",
    "update",
];

fn executable(path: &Path, content: &str) {
    write(path, content);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Everything known to make git run a program, each leaving a file that names it.
fn booby_trap(git_dir: &Path, work_tree: &Path, canaries: &Path) {
    let touch = |name: &str| format!("touch '{}'", canaries.join(name).display());
    for hook in HOOKS {
        executable(
            &git_dir.join("hooks").join(hook),
            &format!("#!/bin/sh\n{}\n", touch(hook)),
        );
    }
    let mut config = fs::read_to_string(git_dir.join("config")).unwrap_or_default();
    for (section, key) in [
        ("core", "fsmonitor"),
        ("core", "sshCommand"),
        ("core", "editor"),
        ("core", "pager"),
        ("core", "askPass"),
        ("core", "gitProxy"),
        ("core", "alternateRefsCommand"),
        ("diff", "external"),
        ("credential", "helper"),
        ("gpg", "program"),
        ("sequence", "editor"),
        ("uploadpack", "packObjectsHook"),
        ("pager", "status"),
        ("pager", "diff"),
        ("filter \"evil\"", "clean"),
        ("filter \"evil\"", "smudge"),
        ("filter \"evil\"", "process"),
        ("diff \"evil\"", "textconv"),
        ("diff \"evil\"", "command"),
        ("merge \"evil\"", "driver"),
        ("alias", "status"),
        ("alias", "diff-tree"),
    ] {
        let name = format!("{}-{key}", section.replace([' ', '"'], "-"));
        config.push_str(&format!("[{section}]\n\t{key} = \"{}\"\n", touch(&name)));
    }
    config.push_str(&format!(
        "[core]\n\thooksPath = \"{}\"\n",
        git_dir.join("hooks").display()
    ));
    write(git_dir.join("config"), config);
    let attributes = "* filter=evil diff=evil merge=evil\n";
    write(git_dir.join("info/attributes"), attributes);
    write(work_tree.join(".gitattributes"), attributes);
}

fn sprung(canaries: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(canaries)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_booby_trapped_workspace_does_nothing() {
    let scene = Scene::new(|top| write(top.join("file"), "before\n"));
    let canaries = scene.root().join("canaries");
    fs::create_dir(&canaries).unwrap();
    booby_trap(&scene.clone.join(".git"), &scene.clone, &canaries);
    let nested = scene.clone.join("nested");
    fs::create_dir(&nested).unwrap();
    crate::support::init(&nested, "sha1");
    booby_trap(&nested.join(".git"), &nested, &canaries);
    write(scene.clone.join("file"), "after\n");
    // The traps are live: an ordinary git walks into them.
    let _ = git_command(&scene.clone).arg("diff").output().unwrap();
    let proof = sprung(&canaries);
    assert!(!proof.is_empty());
    for name in proof {
        fs::remove_file(canaries.join(name)).unwrap();
    }

    let snapshot = scene.snapshot();
    diff::patch(&scene.vault, scene.base, snapshot.tree).unwrap();
    diff::changes(&scene.vault, scene.base, snapshot.tree).unwrap();
    diff::stat(&scene.vault, scene.base, snapshot.tree).unwrap();
    Export::create(
        &scene.vault,
        scene.base,
        snapshot.tree,
        &scene.root().join("gate"),
    )
    .unwrap();
    restore(&scene.vault, snapshot.tree, &scene.root().join("restored")).unwrap();
    Trash::of(&scene.data()).remove(&scene.clone).unwrap();
    assert_eq!(sprung(&canaries), [] as [String; 0]);
}

#[test]
fn hooks_and_monitors_of_the_checkout_stay_quiet() {
    let scene = Scene::new(|top| write(top.join("file"), "before\n"));
    let canaries = scene.root().join("canaries");
    fs::create_dir(&canaries).unwrap();
    let git_dir = scene.repository().join(".git");
    for hook in HOOKS {
        let canary = canaries.join(hook);
        executable(
            &git_dir.join("hooks").join(hook),
            &format!("#!/bin/sh\ntouch '{}'\n", canary.display()),
        );
    }
    let monitor = format!(
        "[core]\n\tfsmonitor = \"touch '{}'\"\n",
        canaries.join("fsmonitor").display()
    );
    let config = fs::read_to_string(git_dir.join("config")).unwrap() + &monitor;
    fs::write(git_dir.join("config"), config).unwrap();
    write(scene.repository().join("file"), "after\n");

    let checkout = Checkout::discover(scene.repository()).unwrap();
    checkout.dirty().unwrap();
    checkout.resolve("main").unwrap();
    checkout.file_at(scene.base, "file").unwrap();
    checkout.branch_name().unwrap();
    fs::remove_file(
        scene
            .vault
            .path()
            .join("refs/dogwatch/base")
            .join(scene.base.to_string()),
    )
    .unwrap();
    scene.vault.fetch_base(&checkout, scene.base).unwrap();
    fingerprint(checkout.common_dir()).unwrap();
    assert_eq!(sprung(&canaries), [] as [String; 0]);
    let _ = git_command(scene.repository())
        .arg("status")
        .output()
        .unwrap();
    assert!(!sprung(&canaries).is_empty(), "the traps are live");
}
