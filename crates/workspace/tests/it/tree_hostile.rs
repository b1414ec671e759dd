//! An agent that does not want T to be what it made.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};

use dogwatch_workspace::snapshot::restore;
use dogwatch_workspace::tree::{TreeError, TreeLimits};
use dogwatch_workspace::{Export, SnapshotError};

use crate::support::{
    Scene, StopOnDrop, bytes_path, commit_all, content_of, git, git_command, init, write,
};
use crate::trash::deep;

fn scene() -> Scene {
    Scene::new(|top| {
        write(top.join("file"), "before");
        write(top.join("dir/file"), "before");
    })
}

#[test]
fn whatever_becomes_of_dot_git_the_bytes_are_read() {
    let scene = scene();
    write(scene.clone.join("file"), "after");
    let expected = scene.snapshot().tree;
    fs::remove_dir_all(scene.clone.join(".git")).unwrap();
    assert_eq!(scene.try_snapshot("turn-002").unwrap().tree, expected);
    write(
        scene.clone.join(".git"),
        format!("gitdir: {}\n", scene.repository().join(".git").display()),
    );
    assert_eq!(scene.try_snapshot("turn-003").unwrap().tree, expected);
    fs::remove_file(scene.clone.join(".git")).unwrap();
    symlink(scene.repository().join(".git"), scene.clone.join(".git")).unwrap();
    assert_eq!(scene.try_snapshot("turn-004").unwrap().tree, expected);
}

#[test]
fn nested_repositories_are_plain_files() {
    let scene = scene();
    let nested = scene.clone.join("vendor/nested");
    init(&nested, "sha1");
    write(nested.join("code"), "x");
    commit_all(&nested, "hidden?");
    write(scene.clone.join("other/.GIT/config"), "x");
    let snapshot = scene.snapshot();
    let paths = scene.paths(snapshot.tree);
    assert!(paths.contains(&"vendor/nested/code".to_owned()));
    assert!(
        paths.contains(&"vendor/nested/dw%%2Egit/HEAD".to_owned()),
        "{paths:?}"
    );
    assert!(paths.contains(&"other/dw%%2EGIT/config".to_owned()));
    assert!(paths.iter().all(|path| {
        path.split('/')
            .all(|part| !part.eq_ignore_ascii_case(".git"))
    }));
    let nested: Vec<&str> = snapshot
        .report
        .nested_repositories
        .sample
        .iter()
        .map(|path| path.as_str().unwrap())
        .collect();
    assert_eq!(nested, ["other", "vendor/nested"]);
    assert_eq!(snapshot.report.escaped_count, 2);
    scene.fsck();
    let restored = scene.root().join("restored");
    restore(&scene.vault, snapshot.tree, &restored).unwrap();
    assert_eq!(content_of(&restored), content_of(&scene.clone));
}

#[test]
fn every_forbidden_name_is_stored_and_comes_back() {
    let scene = scene();
    let names = [
        &b"sub/.git "[..],
        b"sub/git~1",
        b"sub/.git.",
        b"sub/.git::$INDEX_ALLOCATION",
        b"GIT~1",
        b".GIT",
        ".g\u{200c}it".as_bytes(),
        b"a\\.git",
        b"dw%",
        b"dw%%2Egit",
        b"sub/dw%x",
        b"caf\xe9",
        b".git\xff",
        b"line\nbreak",
        b"\x01\x1b[31m",
    ];
    for name in names {
        write(scene.clone.join(bytes_path(name)), name);
    }
    symlink("/etc/passwd", scene.clone.join(".gitmodules")).unwrap();
    symlink("x", scene.clone.join("sub/.gitattributes")).unwrap();
    let snapshot = scene.snapshot();
    scene.fsck();
    assert_eq!(snapshot.report.escaped_count, 14);
    let restored = scene.root().join("restored");
    restore(&scene.vault, snapshot.tree, &restored).unwrap();
    assert_eq!(content_of(&restored), content_of(&scene.clone));
    Export::create(
        &scene.vault,
        scene.base,
        snapshot.tree,
        &scene.root().join("gate"),
    )
    .unwrap();
}

#[test]
fn links_are_stored_as_links() {
    let scene = scene();
    fs::remove_dir_all(scene.clone.join("dir")).unwrap();
    let secret = scene.root().join("secret");
    write(secret.join("file"), "secret");
    symlink(&secret, scene.clone.join("dir")).unwrap();
    symlink("/etc/passwd", scene.clone.join("passwd")).unwrap();
    symlink("../repository", scene.clone.join("up")).unwrap();
    symlink("loop", scene.clone.join("loop")).unwrap();
    let snapshot = scene.snapshot();
    let listing = scene.listing(snapshot.tree);
    for name in ["dir", "passwd", "up", "loop"] {
        assert!(
            listing[name.as_bytes()].starts_with("120000 blob"),
            "{listing:?}"
        );
    }
    assert!(!listing.contains_key(&b"dir/file"[..]));
    assert_eq!(scene.content(snapshot.tree, "passwd"), b"/etc/passwd");
}

#[test]
fn a_directory_that_turns_into_a_link_while_it_is_read_leads_nowhere() {
    let scene = scene();
    let secret = scene.root().join("secret");
    for number in 0..50 {
        write(secret.join(format!("file{number}")), "SECRET");
        write(scene.clone.join(format!("dir/file{number}")), "harmless");
    }
    let (dir, aside) = (scene.clone.join("dir"), scene.clone.join("aside"));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&dir, &aside).unwrap();
                symlink(&secret, &dir).unwrap();
                fs::remove_file(&dir).unwrap();
                fs::rename(&aside, &dir).unwrap();
            }
        });
        let _stop = StopOnDrop(&stop);
        for attempt in 0..40 {
            // A walk during the swap may fail; it may not read what is outside.
            if let Ok(snapshot) = scene.try_snapshot(&format!("turn-{attempt:03}")) {
                let leaked = git_command(scene.vault.path())
                    .args([
                        "--git-dir=.",
                        "grep",
                        "-q",
                        "SECRET",
                        &snapshot.tree.to_string(),
                    ])
                    .status()
                    .unwrap();
                assert_eq!(leaked.code(), Some(1), "attempt {attempt}");
            }
        }
    });
}

#[test]
fn pipes_and_sockets_are_reported_and_never_opened() {
    let scene = scene();
    let fifo = |name: &str| {
        let status = std::process::Command::new("mkfifo")
            .arg(scene.clone.join(name))
            .status()
            .unwrap();
        assert!(status.success());
    };
    fifo("pipe");
    fs::remove_file(scene.clone.join("file")).unwrap();
    fifo("file");
    fifo(".gitignore");
    let _socket = UnixListener::bind(scene.clone.join("socket")).unwrap();
    let snapshot = scene.snapshot();
    assert_eq!(scene.paths(snapshot.tree), ["dir/file"]);
    let skipped: Vec<&str> = snapshot
        .report
        .skipped_special
        .sample
        .iter()
        .map(|path| path.as_str().unwrap())
        .collect();
    assert_eq!(skipped, [".gitignore", "file", "pipe", "socket"]);
}

#[test]
fn modes_cases_and_odd_names_survive() {
    let scene = scene();
    for (name, content) in [("README", "a"), ("readme", "b"), ("ReadMe", "c")] {
        write(scene.clone.join(name), content);
    }
    write(scene.clone.join(bytes_path(b"\xff\xfe")), "d");
    fs::set_permissions(scene.clone.join("file"), fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(
        scene.clone.join("dir/file"),
        fs::Permissions::from_mode(0o6655),
    )
    .unwrap();
    fs::create_dir_all(scene.clone.join("empty/emptier")).unwrap();
    let snapshot = scene.snapshot();
    let listing = scene.listing(snapshot.tree);
    assert_eq!(listing.len(), 6);
    assert!(listing[&b"file"[..]].starts_with("100755"));
    assert!(listing[&b"dir/file"[..]].starts_with("100644"));
    assert!(listing.contains_key(&b"\xff\xfe"[..]));
    assert_eq!(snapshot.report.empty_directories, 1);
}

#[test]
fn a_tree_four_thousand_directories_deep_is_nothing_special() {
    let scene = scene();
    deep(&scene.clone, 4096, "d");
    let snapshot = scene.snapshot();
    let path = [vec!["d"; 4096].join("/"), "bottom".to_owned()].join("/");
    assert!(scene.listing(snapshot.tree).contains_key(path.as_bytes()));
    assert_eq!(
        dogwatch_workspace::diff::changes(&scene.vault, scene.base, snapshot.tree)
            .unwrap()
            .len(),
        1
    );
    let restored = scene.root().join("restored");
    restore(&scene.vault, snapshot.tree, &restored).unwrap();
    let again = scene.root().join("clone-aside");
    fs::rename(&scene.clone, &again).unwrap();
    fs::rename(&restored, &scene.clone).unwrap();
    assert_eq!(scene.try_snapshot("turn-002").unwrap().tree, snapshot.tree);
    let trash = dogwatch_workspace::Trash::of(&scene.data());
    for directory in [again, scene.clone.clone()] {
        trash.remove(&directory).unwrap();
    }
}

#[test]
fn limits_fail_the_walk_with_the_path() {
    let scene = scene();
    deep(&scene.clone, 20, "d");
    write(scene.clone.join("large"), vec![0; 2000]);
    let limits = TreeLimits::default();
    let path = |limits| match scene.snapshot_within("turn-001", limits).unwrap_err() {
        SnapshotError::Tree(TreeError::Limit { path, .. }) => path.to_string(),
        other => panic!("{other}"),
    };
    assert_eq!(path(TreeLimits { depth: 3, ..limits }), "d/d/d/d");
    assert_eq!(
        path(TreeLimits {
            entries: 10,
            ..limits
        }),
        "d/d/d/d/d/d/"
    );
    assert_eq!(
        path(TreeLimits {
            file_bytes: 1000,
            ..limits
        }),
        "large"
    );
    assert_eq!(
        path(TreeLimits {
            new_bytes: 1000,
            ..limits
        }),
        "large"
    );
    assert!(
        scene
            .in_vault(["for-each-ref", "refs/dogwatch/runs"])
            .is_empty()
    );
}

/// Runs a closure as a user whom permissions stop. Root is not one, so its files are given to another user for a thread that acts as that
/// user towards the file system.
fn as_ordinary_user<T: Send>(scene: &Scene, act: impl FnOnce() -> T + Send) -> T {
    if !nix::unistd::geteuid().is_root() {
        return act();
    }
    let nobody = nix::unistd::Uid::from_raw(65_534);
    let status = std::process::Command::new("chown")
        .args(["-R", "65534"])
        .arg(scene.root())
        .status()
        .unwrap();
    assert!(status.success());
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            nix::unistd::setfsuid(nobody);
            act()
        });
        thread.join().unwrap()
    })
}

#[test]
fn what_cannot_be_read_fails_the_walk_unless_it_is_ignored() {
    let scene = Scene::new(|top| {
        write(top.join(".gitignore"), "/cache/\n");
        write(top.join("file"), "x");
    });
    let lock = |path: &str, mode| {
        fs::set_permissions(scene.clone.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    write(scene.clone.join("cache/locked/file"), "x");
    write(scene.clone.join("locked"), "x");
    write(scene.clone.join("dir/below"), "x");
    for (path, usual) in [("locked", 0o644), ("dir", 0o755)] {
        lock(path, 0o000);
        let error = as_ordinary_user(&scene, || scene.try_snapshot("turn-001")).unwrap_err();
        assert!(
            matches!(&error, SnapshotError::Tree(TreeError::Unreadable { path: found, .. }) if found.as_bytes() == path.as_bytes()),
            "{error}"
        );
        lock(path, usual);
    }
    lock("cache/locked", 0o000);
    let snapshot = as_ordinary_user(&scene, || scene.try_snapshot("turn-001")).unwrap();
    assert_eq!(
        scene.paths(snapshot.tree),
        [".gitignore", "dir/below", "file", "locked"]
    );
    assert_eq!(
        snapshot.report.ignored.unreadable.sample[0].as_bytes(),
        b"cache/locked"
    );
    lock("cache/locked", 0o755);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_one_of_its_states() {
    let scene = scene();
    let path = scene.clone.join("busy");
    write(&path, vec![b'a'; 6 << 20]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let file = fs::File::options().write(true).open(&path).unwrap();
                file.set_len(5 << 20).unwrap();
                file.set_len(100).unwrap();
                file.set_len(7 << 20).unwrap();
            }
        });
        let _stop = StopOnDrop(&stop);
        for attempt in 0..12 {
            match scene.try_snapshot(&format!("turn-{attempt:03}")) {
                Ok(snapshot) => {
                    let size = scene.content(snapshot.tree, "busy").len();
                    assert!(size <= 7 << 20, "{size}");
                }
                Err(SnapshotError::Tree(TreeError::Unstable { .. })) => {}
                Err(other) => panic!("{other}"),
            }
        }
    });
    scene.fsck();
}

#[test]
fn the_workspace_itself_may_not_be_a_link() {
    let scene = scene();
    let aside = scene.root().join("aside");
    fs::rename(&scene.clone, &aside).unwrap();
    symlink("/etc", &scene.clone).unwrap();
    let error = scene.try_snapshot("turn-001").unwrap_err();
    assert!(
        matches!(error, SnapshotError::Tree(TreeError::Unreadable { .. })),
        "{error}"
    );
}

#[test]
fn submodules_stay_until_something_is_put_in_their_place() {
    let scene = Scene::new(|top| {
        write(top.join("file"), "x");
        let module = top.parent().unwrap().join("module");
        init(&module, "sha1");
        commit_all(&module, "one");
        for name in ["empty", "gone", "filled", "replaced", "ignored"] {
            let commit = commit_all(&module, name);
            git(
                top,
                [
                    "update-index",
                    "--add",
                    "--cacheinfo",
                    &format!("160000,{commit},{name}"),
                ],
            );
            // Without a directory, adding everything would remove the entry again.
            fs::create_dir(top.join(name)).unwrap();
        }
        write(top.join(".gitignore"), "*.o\n");
    });
    fs::remove_dir(scene.clone.join("gone")).unwrap();
    write(scene.clone.join("filled/code"), "x");
    write(scene.clone.join("ignored/a.o"), "x");
    fs::remove_dir(scene.clone.join("replaced")).unwrap();
    write(scene.clone.join("replaced"), "now a file");
    let snapshot = scene.snapshot();
    let listing = scene.listing(snapshot.tree);
    for name in ["empty", "gone", "ignored"] {
        assert!(
            listing[name.as_bytes()].starts_with("160000"),
            "{listing:?}"
        );
    }
    assert!(
        listing[&b"filled/code"[..]].starts_with("100644")
            && listing[&b"replaced"[..]].starts_with("100644")
    );
    assert_eq!(snapshot.report.submodules_with_content.count, 2);
    scene.fsck();
}
