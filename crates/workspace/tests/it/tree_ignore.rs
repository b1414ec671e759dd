//! What is left out of T, and who decides.

use std::fs;

use crate::support::{Scene, git, git_command, write};

#[test]
fn only_the_files_in_the_tree_decide() {
    let scene = Scene::new(|top| {
        write(top.join(".gitignore"), "/target/\n*.log\n!keep.log\n");
        write(top.join("src/.gitignore"), "generated\n");
        write(top.join("src/lib.rs"), "x");
    });
    write(scene.clone.join(".git/info/exclude"), "hidden-by-exclude\n");
    write(scene.clone.join("hidden-by-config"), "x");
    let excludes = scene.root().join("excludes");
    write(&excludes, "hidden-by-config\n");
    git(
        &scene.clone,
        [
            "config".as_ref(),
            "core.excludesFile".as_ref(),
            excludes.as_os_str(),
        ],
    );
    for path in [
        "hidden-by-exclude",
        "target/debug/app",
        "a.log",
        "keep.log",
        "src/generated",
        "generated",
        "src/new.rs",
    ] {
        write(scene.clone.join(path), path);
    }
    let snapshot = scene.snapshot();
    assert_eq!(
        scene.paths(snapshot.tree),
        [
            ".gitignore",
            "generated",
            "hidden-by-config",
            "hidden-by-exclude",
            "keep.log",
            "src/.gitignore",
            "src/lib.rs",
            "src/new.rs"
        ]
    );
    let ignored: Vec<(&str, u64)> = snapshot
        .report
        .ignored
        .sample
        .iter()
        .map(|file| (file.path.as_str().unwrap(), file.size))
        .collect();
    assert_eq!(
        ignored,
        [
            ("a.log", 5),
            ("src/generated", 13),
            ("target/debug/app", 16)
        ]
    );
    assert_eq!(
        (snapshot.report.ignored.count, snapshot.report.ignored.bytes),
        (3, 34)
    );
    assert!(snapshot.report.newly_ignored.is_empty());
}

#[test]
fn a_path_of_base_cannot_be_hidden() {
    let scene = Scene::new(|top| {
        write(top.join("src/tracked"), "before");
        write(top.join("dir/tracked"), "before");
    });
    write(scene.clone.join(".gitignore"), "*\n");
    write(scene.clone.join("src/tracked"), "after");
    write(scene.clone.join("dir/tracked"), "after");
    write(scene.clone.join("dir/new"), "hidden");
    git(
        &scene.clone,
        ["update-index", "--assume-unchanged", "src/tracked"],
    );
    git(
        &scene.clone,
        ["update-index", "--skip-worktree", "dir/tracked"],
    );
    let snapshot = scene.snapshot();
    assert_eq!(scene.paths(snapshot.tree), ["dir/tracked", "src/tracked"]);
    assert_eq!(scene.content(snapshot.tree, "src/tracked"), b"after");
    assert_eq!(scene.content(snapshot.tree, "dir/tracked"), b"after");
    let newly: Vec<&str> = snapshot
        .report
        .newly_ignored
        .sample
        .iter()
        .map(|path| path.as_str().unwrap())
        .collect();
    assert_eq!(newly, [".gitignore", "dir/new"]);
}

#[test]
fn what_base_would_have_let_in_is_listed() {
    let scene = Scene::new(|top| {
        write(top.join(".gitignore"), "*.o\n");
        write(top.join("sub/.gitignore"), "*.tmp\n");
        write(top.join("sub/file"), "x");
    });
    write(scene.clone.join(".gitignore"), "*.o\nbuild/\n*.rs\n");
    for path in [
        "build/a.o",
        "build/b.c",
        "x.rs",
        "y.o",
        "sub/z.tmp",
        "sub/w.rs",
    ] {
        write(scene.clone.join(path), "x");
    }
    let report = scene.snapshot().report;
    let newly: Vec<&str> = report
        .newly_ignored
        .sample
        .iter()
        .map(|path| path.as_str().unwrap())
        .collect();
    assert_eq!(newly, ["x.rs", "build/b.c", "sub/w.rs"]);
    assert_eq!(report.ignored.count, 6);

    // A rule that is gone hides nothing.
    fs::remove_file(scene.clone.join("sub/.gitignore")).unwrap();
    write(scene.clone.join(".gitignore"), "");
    let snapshot = scene.try_snapshot("turn-002").unwrap();
    assert_eq!(snapshot.report.ignored.count, 0);
    assert!(scene.paths(snapshot.tree).contains(&"sub/z.tmp".to_owned()));
}

#[test]
fn an_ignored_directory_cannot_let_itself_in_again_and_ignore_files_may_not_be_links() {
    let scene = Scene::new(|top| write(top.join(".gitignore"), "out/\n"));
    write(scene.clone.join("out/.gitignore"), "!*\n");
    write(scene.clone.join("out/file"), "x");
    write(scene.root().join("rules"), "*\n");
    fs::create_dir(scene.clone.join("linked")).unwrap();
    std::os::unix::fs::symlink(
        scene.root().join("rules"),
        scene.clone.join("linked/.gitignore"),
    )
    .unwrap();
    write(scene.clone.join("linked/file"), "x");
    let snapshot = scene.snapshot();
    assert_eq!(
        scene.paths(snapshot.tree),
        [".gitignore", "linked/dw%%2Egitignore", "linked/file"]
    );
    assert_eq!(snapshot.report.ignored.count, 2);
    let theirs = git_command(&scene.clone)
        .args(["check-ignore", "out/file", "linked/file"])
        .output()
        .unwrap();
    assert_eq!(theirs.stdout, b"out/file\n", "git agrees");
}

#[test]
fn a_file_that_costs_too_much_to_obey_lets_everything_in() {
    let scene = Scene::new(|top| write(top.join("file"), "x"));
    write(scene.clone.join(".gitignore"), "*\n".repeat(600_000));
    write(scene.clone.join("new"), "x");
    let snapshot = scene.snapshot();
    assert_eq!(scene.paths(snapshot.tree), [".gitignore", "file", "new"]);
    assert_eq!(snapshot.report.disregarded_ignore_files.count, 1);
}
