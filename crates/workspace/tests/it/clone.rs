//! Working copies.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use dogwatch_workspace::{Checkout, Export, PrivateClone, Vault};

use crate::support::{
    Scene, bytes_path, commit_all, content_of, git, git_text, init, project, write,
};

#[test]
fn an_agent_finds_a_clean_repository_on_its_branch() {
    let scene = Scene::new(|top| {
        write(top.join("src/main.rs"), "fn main() {}\n");
        std::os::unix::fs::symlink("src/main.rs", top.join("link")).unwrap();
        write(top.join("run.sh"), "#!/bin/sh\n");
        fs::set_permissions(top.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    });
    let mode = fs::metadata(&scene.clone).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(git_text(&scene.clone, ["status", "--porcelain"]), "");
    assert_eq!(
        git_text(&scene.clone, ["symbolic-ref", "HEAD"]),
        "refs/heads/dogwatch/abc123"
    );
    assert_eq!(
        git_text(&scene.clone, ["rev-parse", "HEAD"]),
        scene.base.to_string()
    );
    assert_eq!(content_of(&scene.clone), content_of(scene.repository()));
    // The agent commits; the vault and the checkout do not see it.
    write(scene.clone.join("new"), "x");
    let commit = commit_all(&scene.clone, "agent");
    assert_eq!(git_text(&scene.clone, ["rev-list", "--count", "HEAD"]), "2");
    assert!(
        !scene
            .vault
            .path()
            .join("objects")
            .join(&commit.to_string()[..2])
            .join(&commit.to_string()[2..])
            .exists()
    );
    assert_eq!(
        git_text(scene.repository(), ["rev-parse", "HEAD"]),
        scene.base.to_string()
    );
}

#[test]
fn odd_data_directories_work() {
    for name in [
        &b"with space"[..],
        b"line\nbreak",
        b"caf\xe9",
        b"\"quoted\"",
        b"#hash\\\n",
    ] {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().join("repository");
        init(&top, "sha1");
        write(top.join("file"), "x");
        let head = commit_all(&top, "one");
        let data = root.path().join(bytes_path(name));
        let checkout = Checkout::discover(&top).unwrap();
        let vault = Vault::open_or_create(&data, project(), checkout.object_format()).unwrap();
        vault.fetch_base(&checkout, head).unwrap();
        let clone = PrivateClone::create(&vault, head, &data.join("clone"), "dogwatch/x").unwrap();
        assert_eq!(
            git_text(clone.path(), ["status", "--porcelain"]),
            "",
            "{}",
            name.escape_ascii()
        );
        assert_eq!(
            git_text(clone.path(), ["log", "--format=%H"]),
            head.to_string()
        );
    }
}

#[test]
fn files_have_the_bytes_that_were_committed() {
    let scene = Scene::new(|top| {
        write(
            top.join(".gitattributes"),
            "*.txt text eol=crlf\n*.id ident\n*.big filter=lfs diff=lfs\n*.u16 working-tree-encoding=UTF-16\n",
        );
        write(top.join("a.txt"), "one\ntwo\n");
        write(top.join("a.id"), "$Id$\n");
        write(
            top.join("a.big"),
            "version https://git-lfs.github.com/spec/v1\n",
        );
        // Committed as it stands, because the attribute of the index is not there yet.
        write(top.join("plain"), "x");
    });
    assert_eq!(fs::read(scene.clone.join("a.txt")).unwrap(), b"one\ntwo\n");
    assert_eq!(fs::read(scene.clone.join("a.id")).unwrap(), b"$Id$\n");
    assert_eq!(git_text(&scene.clone, ["status", "--porcelain"]), "");
    assert_eq!(scene.snapshot().tree, scene.base_tree());
    // What the agent's own git commits is what T holds.
    write(scene.clone.join("a.txt"), "one\r\ntwo\r\n");
    commit_all(&scene.clone, "agent");
    let tree = git_text(&scene.clone, ["rev-parse", "HEAD^{tree}"]);
    assert_eq!(
        scene.try_snapshot("turn-002").unwrap().tree.to_string(),
        tree
    );
}

#[test]
fn an_export_is_a_small_repository_with_the_tree_staged() {
    let scene = Scene::new(|top| {
        write(top.join("kept"), "kept");
        write(top.join("removed"), "x");
    });
    fs::remove_file(scene.clone.join("removed")).unwrap();
    write(scene.clone.join("added/file"), "new");
    write(
        scene.clone.join("sub/.git/config"),
        "[core]\n\tfsmonitor = false\n",
    );
    let snapshot = scene.snapshot();
    let directory = scene.root().join("gate");
    let export = Export::create(&scene.vault, scene.base, snapshot.tree, &directory).unwrap();
    assert_eq!(
        git_text(export.path(), ["rev-parse", "HEAD"]),
        scene.base.to_string()
    );
    assert_eq!(
        git_text(export.path(), ["write-tree"]),
        snapshot.tree.to_string()
    );
    assert_eq!(git_text(export.path(), ["diff", "--name-only"]), "");
    assert_eq!(git_text(export.path(), ["ls-files", "--others"]), "");
    assert!(directory.join("sub/dw%%2Egit/config").is_file());
    assert!(directory.join("added/file").is_file() && !directory.join("removed").exists());
    assert!(
        Export::create(&scene.vault, scene.base, snapshot.tree, &directory).is_err(),
        "only into a fresh directory"
    );
}

#[test]
fn a_base_that_is_not_in_the_vault_is_an_error() {
    let scene = Scene::new(|top| write(top.join("file"), "x"));
    write(scene.repository().join("file"), "y");
    let newer = commit_all(scene.repository(), "two");
    assert!(
        PrivateClone::create(
            &scene.vault,
            newer,
            &scene.root().join("other"),
            "dogwatch/x"
        )
        .is_err()
    );
    git(scene.repository(), ["fsck"]);
}
