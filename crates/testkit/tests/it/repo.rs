//! Repositories are hermetic and the same every time.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use dogwatch_testkit::{ObjectFormat, Repo};

fn made() -> (Repo, Vec<String>) {
    let repo = Repo::init();
    let ids = vec![
        repo.write("a.txt", "one\n")
            .write("deep/b.bin", [0xff, 0x00])
            .commit("first"),
        repo.write_executable("run.sh", "#!/bin/sh\n")
            .symlink("link", "a.txt")
            .remove("deep/b.bin")
            .commit("second"),
    ];
    (repo, ids)
}

#[test]
fn the_same_steps_give_the_same_commits() {
    let (repo, ids) = made();
    assert_eq!(ids, made().1);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(repo.head(), ids[1]);
    assert_eq!(repo.resolve("HEAD~1"), ids[0]);
    assert_eq!(
        repo.git(["ls-tree", "-r", "--format=%(objectmode) %(path)", "HEAD"])
            .text(),
        "100644 a.txt\n120000 link\n100755 run.sh"
    );
    assert_eq!(
        repo.git(["log", "-1", "--format=%an <%ae> %aI", &ids[0]])
            .text()
            .split_once(" 2026-01-01T00:00:")
            .map(|(who, _)| who.to_owned()),
        Some("Ada Example <ada@example.org>".to_owned())
    );
}

#[test]
fn nothing_of_the_machine_gets_in() {
    let repo = Repo::with_commit();
    let origins = repo
        .git(["config", "--list", "--show-scope", "--name-only"])
        .text();
    for line in origins.lines() {
        assert!(
            line.starts_with("local") || line.starts_with("command"),
            "{line}"
        );
    }
    assert!(!repo.path().join(".git/hooks").exists());
}

#[test]
fn both_object_formats_can_be_had() {
    let repo = Repo::builder().format(ObjectFormat::Sha256).init();
    let id = repo.write("a", "x").commit("first");
    assert_eq!(id.len(), 64);
    assert_eq!(Repo::with_commit().head().len(), 40);
}

#[test]
fn names_need_not_be_text() {
    let name = OsStr::from_bytes(b"a b\n\xff");
    let repo = Repo::builder().name(name).branch("trunk").init();
    repo.write("a", "x").commit("first");
    assert_eq!(repo.path().file_name(), Some(name));
    assert_eq!(repo.git(["branch", "--show-current"]).text(), "trunk");
}

#[test]
fn branches_and_linked_work_trees() {
    let repo = Repo::with_commit();
    let start = repo.head();
    repo.branch("side").write("b", "x").commit("on main");
    repo.checkout("side");
    assert_eq!(repo.head(), start);
    let linked = repo.worktree_add("linked");
    assert!(linked.join("README.md").is_file() && linked.join(".git").is_file());
    assert_eq!(repo.resolve("linked"), start);
}

#[test]
fn a_dirty_work_tree_is_told_and_left_alone() {
    let repo = Repo::with_commit();
    assert_eq!(repo.status(), "");
    repo.write("README.md", "changed\n")
        .write("new/file", "x")
        .write("staged", "x");
    repo.git(["add", "staged"]).expect_success();
    assert_eq!(repo.status(), " M README.md\nA  staged\n?? new/file");
}

#[test]
fn what_git_refuses_is_told() {
    let repo = Repo::init();
    let output = repo.git(["rev-parse", "--verify", "HEAD"]);
    assert_eq!(output.code, Some(128));
    assert!(String::from_utf8_lossy(&output.stderr).contains("fatal"));
    let panic = std::panic::catch_unwind(|| output.expect_success()).unwrap_err();
    let text = panic.downcast::<String>().unwrap();
    assert!(
        text.contains("rev-parse") && text.contains("fatal"),
        "{text}"
    );
}

#[test]
fn it_is_gone_afterwards() {
    let repo = Repo::with_commit();
    let root = repo.root().to_owned();
    assert!(fs::exists(&root).unwrap());
    drop(repo);
    assert!(!fs::exists(&root).unwrap());
}
