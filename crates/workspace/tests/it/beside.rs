//! Ignored files, empty directories, and files that came along from the user's checkout.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dogwatch_core::Sha256Digest;
use dogwatch_workspace::included::{IncludeLimits, Included, copy_included};
use dogwatch_workspace::snapshot::{
    Complete, Extent, Listing, restore, restore_with_ignored, take,
};
use dogwatch_workspace::{PathBytes, SnapshotError, SnapshotRequest, Vault};

use crate::support::{AT, Scene, bytes_path, content_of, project, run, write};

fn request<'a>(scene: &'a Scene, label: &'a str) -> SnapshotRequest<'a> {
    SnapshotRequest {
        workspace: scene.clone.as_path().into(),
        base: scene.base,
        run: run(),
        label,
        parent: scene.base,
        message: "turn\n",
        at: AT,
        limits: Default::default(),
    }
}

fn take_it(scene: &Scene, label: &str, extent: &Extent<'_>) -> Complete {
    take(&scene.vault, &request(scene, label), extent).unwrap()
}

fn scene() -> Scene {
    Scene::new(|top| {
        write(top.join(".gitignore"), "*.o\n/target/\n.env\n");
        write(top.join("file"), "x");
    })
}

/// Directories below a directory, without the top `.git`.
fn directories_of(top: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut pending = vec![top.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() && path != top.join(".git") {
                found.insert(path.strip_prefix(top).unwrap().to_owned());
                pending.push(path);
            }
        }
    }
    found
}

#[test]
fn ignored_files_and_empty_directories_come_back() {
    for format in ["sha1", "sha256"] {
        let scene = Scene::with_format(format, |top| {
            write(top.join(".gitignore"), "*.o\n/target/\n");
            write(top.join("file"), "x");
        });
        write(scene.clone.join("new"), "new");
        write(scene.clone.join("a.o"), "object");
        write(scene.clone.join("target/deep/.git/config"), "hostile");
        write(scene.clone.join(bytes_path(b"target/\xff\n")), "odd");
        symlink("/etc/passwd", scene.clone.join("target/link")).unwrap();
        let tool = scene.clone.join("target/tool");
        write(&tool, "#!/bin/sh\n");
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(scene.clone.join("empty/emptier")).unwrap();
        fs::create_dir_all(scene.clone.join("target/empty")).unwrap();
        let (expected, directories) = (content_of(&scene.clone), directories_of(&scene.clone));
        let complete = take_it(&scene, "turn-001", &Extent::default());
        let ignored = complete.ignored.clone().unwrap();
        assert_eq!((ignored.kept, ignored.listed), (5, 0));
        assert_eq!(
            scene.paths(complete.snapshot.tree),
            [".gitignore", "file", "new"],
            "never mixed into T"
        );
        scene.fsck();
        fs::remove_dir_all(&scene.clone).unwrap();
        let restored = scene.root().join("restored");
        let commit = Some(ignored.commit);
        restore_with_ignored(&scene.vault, complete.snapshot.tree, commit, &restored).unwrap();
        assert_eq!(content_of(&restored), expected);
        assert_eq!(directories_of(&restored), directories);
        let only = scene.root().join("only");
        restore(&scene.vault, complete.snapshot.tree, &only).unwrap();
        assert_eq!(content_of(&only).len(), 3);
        // The same once more is the same, though the workspace is another directory.
        fs::rename(&restored, &scene.clone).unwrap();
        assert_eq!(take_it(&scene, "turn-001", &Extent::default()), complete);
    }
}

#[test]
fn what_is_too_large_is_listed_with_its_digest() {
    let scene = scene();
    write(scene.clone.join("small.o"), "small");
    write(scene.clone.join("large.o"), vec![b'x'; 5000]);
    write(scene.clone.join("huge.o"), vec![b'y'; 9000]);
    let made = Command::new("mkfifo")
        .arg(scene.clone.join("pipe.o"))
        .status()
        .unwrap();
    assert!(made.success());
    let extent = Extent {
        ignored_max: 4999,
        digest_max: 6000,
        ..Extent::default()
    };
    let ignored = take_it(&scene, "turn-001", &extent).ignored.unwrap();
    assert_eq!(
        (ignored.kept, ignored.kept_bytes, ignored.listed),
        (1, 5, 3)
    );
    let listing = Listing::read(&scene.vault, ignored.commit).unwrap();
    let found: Vec<_> = listing
        .files
        .iter()
        .map(|file| (file.path.to_string(), file.size, file.sha256))
        .collect();
    let digest = Sha256Digest::of(&[b'x'; 5000]);
    assert_eq!(
        found,
        [
            ("huge.o".to_owned(), 9000, None),
            ("large.o".to_owned(), 5000, Some(digest)),
            ("pipe.o".to_owned(), 0, None),
        ]
    );
}

fn with_included() -> (Scene, Included) {
    let scene = scene();
    let top = scene.repository();
    write(top.join(".env"), "SECRET=value\n");
    fs::set_permissions(top.join(".env"), fs::Permissions::from_mode(0o600)).unwrap();
    write(top.join("target/config/local"), "local settings\n");
    write(top.join("target/config/big"), vec![b'x'; 200_000]);
    write(top.join("target/other"), "other\n");
    write(top.join("notes.txt"), "untracked, not ignored\n");
    symlink("/etc/passwd", top.join("target/config/link")).unwrap();
    let patterns = b"# what comes along\r\n.env\n/target/config/*\nnotes.txt\n\n!big.o\n";
    let limits = IncludeLimits {
        file_bytes: 100_000,
        ..IncludeLimits::default()
    };
    let included = copy_included(&scene.checkout, patterns, &scene.clone, limits).unwrap();
    (scene, included)
}

#[test]
fn what_worktreeinclude_names_comes_along() {
    let (scene, included) = with_included();
    let paths: Vec<String> = included.paths().iter().map(ToString::to_string).collect();
    assert_eq!(paths, [".env", "target/config/local"]);
    let copy = scene.clone.join(".env");
    assert_eq!(fs::read(&copy).unwrap(), b"SECRET=value\n");
    let mode = fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let skipped: Vec<String> = included
        .skipped
        .iter()
        .map(|file| format!("{} {}", file.path, file.reason))
        .collect();
    assert_eq!(
        skipped,
        [
            "target/config/big it is too large",
            "target/config/link it is not a regular file"
        ]
    );
    assert!(!scene.clone.join("notes.txt").exists());
    // What is there already stays.
    write(&copy, "the agent's\n");
    let again = copy_included(
        &scene.checkout,
        b".env\n",
        &scene.clone,
        IncludeLimits::default(),
    );
    assert_eq!(again.unwrap().files, []);
    assert_eq!(fs::read(&copy).unwrap(), b"the agent's\n");
    for nothing in [&b""[..], b"# .env\n", b"missing\n", b"file\n"] {
        let limits = IncludeLimits::default();
        let none = copy_included(&scene.checkout, nothing, &scene.clone, limits).unwrap();
        assert_eq!(none, Included::default());
    }
}

#[test]
fn what_came_along_never_lands() {
    let (scene, included) = with_included();
    // The agent would like it to.
    write(scene.clone.join(".gitignore"), "!.env\n!*\n");
    write(scene.clone.join("result"), "result");
    let excluded = included.paths();
    let extent = Extent {
        excluded: &excluded,
        ..Extent::default()
    };
    let complete = take_it(&scene, "turn-001", &extent);
    assert_eq!(
        scene.paths(complete.snapshot.tree),
        [".gitignore", "file", "result"]
    );
    assert_eq!(complete.ignored, None);
    let reported: Vec<String> = complete
        .excluded
        .sample
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(reported, [".env", "target/config/local"]);
    // Nothing of it is anywhere in the vault.
    for blob in included.blobs() {
        let there = crate::support::git_command(scene.vault.path())
            .args(["--git-dir=.", "cat-file", "-e", &blob.to_string()])
            .status()
            .unwrap();
        assert!(!there.success(), "{blob}");
    }
    // Ignored or not, it is not kept beside T either.
    write(scene.clone.join(".gitignore"), ".env\n/target/\n");
    let complete = take_it(&scene, "turn-002", &extent);
    assert_eq!(complete.excluded.count, 2);
    assert_eq!(complete.ignored, None);
    // A path that base has is the agent's to change.
    let excluded = [PathBytes::from("file")];
    write(scene.clone.join("file"), "changed");
    let extent = Extent {
        excluded: &excluded,
        ..Extent::default()
    };
    let complete = take_it(&scene, "turn-003", &extent);
    assert_eq!(scene.content(complete.snapshot.tree, "file"), b"changed");
}

#[test]
fn refs_of_a_run_go_when_they_may() {
    let scene = scene();
    write(scene.clone.join("a.o"), "x");
    let first = take_it(&scene, "turn-001", &Extent::default());
    let listed = scene.vault.snapshots(run()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].label, "turn-001");
    assert_eq!(listed[0].tree, first.snapshot.tree);
    assert_eq!(
        listed[0].ignored,
        first.ignored.map(|ignored| ignored.commit)
    );
    write(scene.clone.join("file"), "other");
    let refused = take(
        &scene.vault,
        &request(&scene, "turn-001"),
        &Extent::default(),
    );
    assert!(matches!(refused, Err(SnapshotError::Exists { .. })));
    assert_eq!(scene.vault.tidy_run_refs(run()).unwrap(), 1);
    assert_eq!(scene.vault.tidy_run_refs(run()).unwrap(), 0);
    assert_eq!(scene.vault.drop_run_refs(run()).unwrap(), 2);
    let left = scene.in_vault(["for-each-ref", "--format=%(refname)"]);
    assert_eq!(
        String::from_utf8(left).unwrap(),
        format!("refs/dogwatch/base/{}\n", scene.base)
    );
}

const CHILD: &str = "DOGWATCH_TEST_SNAPSHOT_CHILD";

/// Not a test by itself: what [`a_snapshot_survives_a_kill_at_any_point`] kills.
#[test]
fn child_that_takes_snapshots() {
    let Some(argument) = std::env::var_os(CHILD) else {
        return;
    };
    let root = PathBuf::from(argument);
    let base = fs::read_to_string(root.join("base"))
        .unwrap()
        .parse()
        .unwrap();
    let clone = root.join("clone");
    let vault = Vault::open(&root.join("data"), project()).unwrap().unwrap();
    // Each child has turns of its own: one that is there already is only compared.
    let first = std::process::id();
    for turn in 1.. {
        let label = format!("turn-{first}-{turn:03}");
        let request = SnapshotRequest {
            workspace: clone.as_path().into(),
            base,
            run: run(),
            label: &label,
            parent: base,
            message: "turn\n",
            at: AT,
            limits: Default::default(),
        };
        // What is killed here may have lost its workspace already.
        let Ok(done) = take(&vault, &request, &Extent::default()) else {
            return;
        };
        let line = serde_json::to_string(&done).unwrap();
        let draft = root.join("done.draft");
        fs::write(&draft, line).unwrap();
        fs::rename(&draft, root.join("done")).unwrap();
    }
}

#[test]
fn a_snapshot_survives_a_kill_at_any_point() {
    let repeats = std::env::var("DOGWATCH_TEST_REPEATS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6);
    let scene = Scene::new(|top| {
        write(top.join(".gitignore"), "*.o\n");
        for number in 0..200 {
            write(top.join(format!("dir{}/file{number}", number % 7)), "x");
        }
    });
    fs::write(scene.root().join("base"), scene.base.to_string()).unwrap();
    for number in 0..150 {
        write(
            scene.clone.join(format!("new/file{number}")),
            vec![number as u8; 3000],
        );
        write(
            scene.clone.join(format!("new/{number}.o")),
            vec![number as u8; 2000],
        );
    }
    fs::create_dir_all(scene.clone.join("empty/one")).unwrap();
    let expected = (content_of(&scene.clone), directories_of(&scene.clone));
    let mut last = take_it(&scene, "turn-001", &Extent::default());
    let restored = scene.root().join("restored");
    for repeat in 0..repeats {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "beside::child_that_takes_snapshots",
                "--nocapture",
            ])
            .env(CHILD, scene.root())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let mut child = command.spawn().unwrap();
        // Spread over the time of several snapshots, at no particular point of them.
        let begun = std::time::Instant::now();
        let wait = std::time::Duration::from_micros(40_000 + (repeat * 7919 * 13) % 400_000);
        while begun.elapsed() < wait {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if let Ok(done) = fs::read_to_string(scene.root().join("done")) {
            last = serde_json::from_str(&done).unwrap();
        }
        let ignored = last.ignored.as_ref().map(|ignored| ignored.commit);
        let tree = last.snapshot.tree;
        // The workspace may be gone before anybody looks.
        let aside = scene.root().join("aside");
        fs::rename(&scene.clone, &aside).unwrap();
        restore_with_ignored(&scene.vault, tree, ignored, &restored).unwrap();
        assert_eq!((content_of(&restored), directories_of(&restored)), expected);
        fs::remove_dir_all(&aside).unwrap();
        fs::rename(&restored, &scene.clone).unwrap();
    }
    // Every snapshot that has a ref is whole, finished or not.
    let refs = scene.in_vault([
        "for-each-ref",
        "--format=%(objectname)",
        "refs/dogwatch/runs",
    ]);
    for commit in String::from_utf8(refs).unwrap().lines() {
        scene.in_vault(["rev-list", "--objects", "--quiet", commit]);
    }
    scene.fsck();
}
