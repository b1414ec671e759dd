//! Checked-out base commits that are shared.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use dogwatch_workspace::{
    CacheLimits, InitialContent, ObjectId, OverlayRequest, OverlayWorkspace, PristineCache,
    PristineError, Trash,
};

use crate::mounted::{Mounted, NOBODY, cache_in, owners};
use crate::support::{Scene, commit_all, content_of, git, write};

fn fill(top: &Path) {
    write(top.join("a/b"), "x");
    write(top.join("file"), "x");
}

/// A scene with more base commits.
fn with_commits(count: usize) -> (Scene, Vec<ObjectId>) {
    let scene = Scene::new(fill);
    let mut commits = vec![scene.base];
    for number in 1..count {
        write(scene.repository().join("file"), number.to_string());
        let commit = commit_all(scene.repository(), "more");
        scene.vault.fetch_base(&scene.checkout, commit).unwrap();
        commits.push(commit);
    }
    (scene, commits)
}

fn entry(scene: &Scene, commit: ObjectId) -> PathBuf {
    scene.data().join("pristine").join(commit.to_string())
}

fn limited(scene: &Scene, entries: usize) -> PristineCache {
    let limits = CacheLimits {
        entries,
        bytes: u64::MAX,
    };
    PristineCache::new(
        &scene.data().join("pristine"),
        Trash::of(&scene.data()),
        limits,
    )
}

fn overlay(scene: &Scene, cache: &PristineCache, name: &str, base: ObjectId) -> OverlayWorkspace {
    let run_dir = scene.data().join(name);
    fs::create_dir(&run_dir).unwrap();
    let request = OverlayRequest {
        run_dir: &run_dir,
        base,
        branch: "dogwatch/x",
        owner: None,
        content: InitialContent::Base,
    };
    OverlayWorkspace::create(&scene.vault, cache, &request).unwrap()
}

#[test]
fn whoever_comes_at_the_same_time_shares_one_checkout() {
    let scene = Scene::new(fill);
    let cache = cache_in(&scene);
    let inodes: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|number| {
                let (scene, cache) = (&scene, &cache);
                scope.spawn(move || {
                    let overlay = overlay(scene, cache, &format!("run{number}"), scene.base);
                    fs::metadata(&overlay.paths().lower).unwrap().ino()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(inodes.iter().all(|inode| *inode == inodes[0]), "{inodes:?}");
    assert!(!scene.data().join("pristine/.making").exists());
    assert_eq!(
        content_of(&entry(&scene, scene.base).join("tree")),
        content_of(scene.repository())
    );
}

/// The index was written for other devices, inodes and owners than the overlay shows.
#[test]
fn git_finds_every_file_unchanged_without_reading_it() {
    let scene = Scene::new(|top| {
        for number in 0..50 {
            write(top.join(format!("dir{}/file{number}", number % 7)), "x");
        }
    });
    for (number, owner) in owners().into_iter().enumerate() {
        let mounted = Mounted::named(&scene, &format!("run{number}"), InitialContent::Base, owner);
        // This says what the index alone says, without looking into files that seem to have changed.
        assert_eq!(mounted.script("git diff-files --raw"), "");
        mounted.script("echo x > dir0/file0; git status > /dev/null");
        mounted.script("printf y > dir1/file1");
        assert!(
            mounted
                .script("git diff-files --raw")
                .contains("dir1/file1")
        );
    }
}

#[test]
fn nothing_a_run_does_reaches_the_shared_checkout() {
    let scene = Scene::new(fill);
    let mounted = Mounted::new(&scene, InitialContent::Base, None);
    let lower = mounted.overlay.paths().lower.clone();
    let git_dir = |name: &str| fs::read(lower.join(".git").join(name)).unwrap();
    let before = (git_dir("index"), git_dir("HEAD"), git_dir("config"));
    mounted.script("rm -rf a file; echo n > n; git add -A; git commit -qm all; git config user.name x; git gc -q; git checkout -qb other");
    assert_eq!(
        (git_dir("index"), git_dir("HEAD"), git_dir("config")),
        before
    );
    assert_eq!(content_of(&lower), content_of(scene.repository()));
    git(&lower, ["-c", "safe.directory=*", "fsck"]);
}

#[test]
fn what_a_maker_left_half_done_is_made_anew() {
    let scene = Scene::new(fill);
    let cache = cache_in(&scene);
    write(
        scene.data().join("pristine/.making/tree/.git/HEAD"),
        "ref: x",
    );
    cache.prepare(&scene.vault, scene.base, None).unwrap();
    let entry = entry(&scene, scene.base);
    let inode = || fs::metadata(entry.join("tree")).unwrap().ino();
    let started_anew = || {
        let record = fs::read_to_string(entry.join("ready.json")).unwrap();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert!(record.contains(boot.trim()));
        fs::write(
            entry.join("ready.json"),
            record.replace(boot.trim(), "another"),
        )
        .unwrap();
    };
    let damages: [&dyn Fn(); 5] = [
        &started_anew,
        &|| fs::remove_file(entry.join("ready.json")).unwrap(),
        &|| fs::write(entry.join("ready.json"), "{").unwrap(),
        &|| fs::write(entry.join("listing"), "").unwrap(),
        &|| fs::write(entry.join("tree/.git/index"), "").unwrap(),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let before = inode();
        cache.prepare(&scene.vault, scene.base, None).unwrap();
        assert_eq!(inode(), before, "whole, so it stays");
        let kept = fs::File::open(entry.join("tree")).unwrap();
        damage();
        let overlay = overlay(&scene, &cache, &format!("run{number}"), scene.base);
        assert_ne!(inode(), before);
        drop(kept);
        assert!(overlay.paths().lower.join("file").is_file());
    }
}

#[test]
fn the_longest_unused_goes_first_and_what_is_used_stays() {
    let (scene, commits) = with_commits(4);
    let all = limited(&scene, 10);
    let cache = limited(&scene, 1);
    let there = |index: usize| entry(&scene, commits[index]).exists();
    let used: Vec<OverlayWorkspace> = (0..3)
        .map(|index| overlay(&scene, &all, &format!("run{index}"), commits[index]))
        .collect();
    assert_eq!(cache.trim().unwrap(), 0);
    assert!((0..3).all(there));
    let trash = Trash::of(&scene.data());
    let mut used = used.into_iter();
    // Released by its own hand.
    let upper = used.next().map(|overlay| {
        let upper = overlay.paths().upper.clone();
        overlay.release(&cache, &trash).unwrap().delete().unwrap();
        upper
    });
    assert!(!upper.unwrap().exists());
    assert_eq!(cache.trim().unwrap(), 1);
    assert!(!there(0) && there(1) && there(2));
    // Gone with the directory of its run: nobody said so, and it counts.
    drop(used.next());
    trash.remove(&scene.data().join("run1")).unwrap();
    // A new one comes, and room is made for it.
    let newest = overlay(&scene, &cache, "run3", commits[3]);
    assert!(!there(1) && there(2) && there(3));
    // Used again, the older is the newer.
    newest.release(&cache, &trash).unwrap().delete().unwrap();
    drop(used.next());
    trash.remove(&scene.data().join("run2")).unwrap();
    overlay(&scene, &all, "run4", commits[2])
        .release(&cache, &trash)
        .unwrap()
        .delete()
        .unwrap();
    assert_eq!(cache.trim().unwrap(), 1);
    assert!(there(2) && !there(3));
    // What was evicted under a workspace that a crash made look unused comes back when it is opened.
    let kept = overlay(&scene, &all, "run5", commits[1]);
    all_pins_lost(&scene);
    assert_eq!(limited(&scene, 0).trim().unwrap(), 2);
    let again = OverlayWorkspace::open(&scene.vault, &all, &scene.data().join("run5"))
        .unwrap()
        .unwrap();
    assert_eq!(again.paths(), kept.paths());
    assert!(again.paths().lower.join("file").is_file());
}

fn all_pins_lost(scene: &Scene) {
    fs::remove_dir_all(scene.data().join("pristine/pins")).unwrap();
}

#[test]
fn entries_of_different_owners_are_different() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let scene = Scene::new(fill);
    let cache = cache_in(&scene);
    for owner in [None, Some(NOBODY)] {
        cache.prepare(&scene.vault, scene.base, owner).unwrap();
    }
    let theirs = scene
        .data()
        .join(format!("pristine/{}.65534.65534/tree", scene.base));
    let uid = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
    for name in ["", "file", "a", "a/b", ".git", ".git/index", ".git/HEAD"] {
        assert_eq!(uid(&theirs.join(name)), 65_534, "{name}");
        assert_eq!(uid(&entry(&scene, scene.base).join("tree").join(name)), 0);
    }
    assert_eq!(uid(theirs.parent().unwrap()), 0);
}

#[test]
fn a_commit_whose_names_would_be_stored_differently_is_refused() {
    let scene = Scene::new(|top| write(top.join("dir/dw%%2Egit/config"), "x"));
    let error = cache_in(&scene)
        .prepare(&scene.vault, scene.base, None)
        .unwrap_err();
    assert!(
        matches!(&error, PristineError::Name { path } if path.as_bytes() == b"dir/dw%%2Egit/config"),
        "{error}"
    );
    assert!(!entry(&scene, scene.base).exists());
}
