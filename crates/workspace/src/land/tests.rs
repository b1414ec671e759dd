//! Killed anywhere, a landing can be finished by doing it again.

use std::fs;
use std::io;
use std::path::Path;

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{RunId, uuid_v7};

use super::execute::{Step, in_steps};
use super::{Author, LandError, Mode, PlanKind, PromotionRequest, execute, plan};

#[allow(
    dead_code,
    reason = "shared with the integration tests, which use all of it"
)]
#[path = "../../tests/it/support.rs"]
mod support;

use support::{AT, Scene, content_of, git_text, run, write};

fn scene() -> Scene {
    let scene = Scene::new(|top| {
        write(top.join("changed"), "before\n".repeat(1000));
        write(top.join("gone/file"), "x");
        write(top.join("kept"), "kept");
        write(top.join("turns"), "a file");
    });
    write(scene.clone.join("changed"), "after\n".repeat(1000));
    fs::remove_dir_all(scene.clone.join("gone")).unwrap();
    write(scene.clone.join("new/file"), "new");
    fs::remove_file(scene.clone.join("turns")).unwrap();
    write(scene.clone.join("turns/into/directories"), "y");
    scene
}

fn request<'a>(scene: &Scene, tree: crate::ObjectId) -> PromotionRequest<'a> {
    PromotionRequest {
        run: run(),
        tree,
        base: scene.base,
        history: None,
        message: "change things",
        author: Author::default(),
        bundle: Sha256Digest::of(b"manifest"),
        at: AT,
        mode: Mode::FastForward,
        target: None,
    }
}

fn assert_landed(scene: &Scene, expected: &std::collections::BTreeMap<Vec<u8>, (char, Vec<u8>)>) {
    let top = scene.repository();
    assert_eq!(&content_of(top), expected);
    assert_eq!(git_text(top, ["status", "--porcelain"]), "");
    git_text(top, ["fsck", "--strict"]);
    let landing = top.join(".git/dogwatch/landing");
    let left: Vec<_> = fs::read_dir(landing)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["lock"]);
    assert!(!top.join(".git/index.lock").exists());
    assert_eq!(git_text(top, ["for-each-ref", "refs/dogwatch"]), "");
}

/// What a crash in the middle of writing files may leave besides.
fn half_written(top: &Path) {
    fs::remove_file(top.join("turns")).ok();
    write(top.join("changed"), "after\n".repeat(10));
    write(top.join("new/file"), "");
    fs::remove_file(top.join("gone/file")).ok();
}

#[test]
fn a_landing_killed_anywhere_is_finished_by_the_next() {
    for step in Step::ALL {
        for messy in [false, true] {
            if messy && step != Step::IndexLocked {
                continue;
            }
            let scene = scene();
            let expected = content_of(&scene.clone);
            let tree = scene.snapshot().tree;
            let request = request(&scene, tree);
            let made = plan(&scene.checkout, &scene.vault, &request).unwrap();
            let killed = in_steps(&scene.checkout, &scene.vault, &made, &mut |at| {
                if at == step {
                    return Err(io::Error::other("killed"));
                }
                Ok(())
            });
            assert!(killed.is_err(), "{step:?}");
            if messy {
                half_written(scene.repository());
            }
            let other = PromotionRequest {
                run: RunId::from_uuid(uuid_v7(AT, &[1; 10])),
                ..request.clone()
            };
            let refused = plan(&scene.checkout, &scene.vault, &other);
            if step != Step::Sent {
                assert!(
                    matches!(refused, Err(LandError::Interrupted { .. })),
                    "{step:?}"
                );
            }
            let again = plan(&scene.checkout, &scene.vault, &request).unwrap();
            assert_eq!(again.kind() == PlanKind::Resume, step != Step::Sent);
            let landed = execute(&scene.checkout, &scene.vault, &again).unwrap();
            assert_eq!(landed.commit, made.commit());
            assert_landed(&scene, &expected);
            let once_more = plan(&scene.checkout, &scene.vault, &request).unwrap();
            assert_eq!(once_more.kind(), PlanKind::Landed);
        }
    }
}

fn interrupted_at(step: Step) -> (Scene, PromotionRequest<'static>) {
    let scene = scene();
    let tree = scene.snapshot().tree;
    let request = request(&scene, tree);
    let made = plan(&scene.checkout, &scene.vault, &request).unwrap();
    let killed = in_steps(&scene.checkout, &scene.vault, &made, &mut |at| match at {
        at if at == step => Err(io::Error::other("killed")),
        _ => Ok(()),
    });
    assert!(killed.is_err());
    (scene, request)
}

#[test]
fn what_the_user_did_after_a_crash_is_not_overwritten() {
    for path in ["kept", "changed", "new/file"] {
        let (scene, request) = interrupted_at(Step::FilesWritten);
        write(scene.repository().join(path), "mine");
        let again = plan(&scene.checkout, &scene.vault, &request).unwrap();
        let refused = execute(&scene.checkout, &scene.vault, &again).unwrap_err();
        assert!(
            matches!(&refused, LandError::InterruptedAndChanged { paths, .. } if paths.sample[0].as_bytes() == path.as_bytes()),
            "{refused}"
        );
        assert_eq!(fs::read(scene.repository().join(path)).unwrap(), b"mine");
    }
}

#[test]
fn a_branch_that_was_moved_after_a_crash_is_the_users() {
    let (scene, request) = interrupted_at(Step::FilesWritten);
    let top = scene.repository();
    fs::remove_file(top.join(".git/index.lock")).unwrap();
    git_text(top, ["reset", "-q", "--hard"]);
    git_text(top, ["commit", "-q", "--allow-empty", "-m", "mine"]);
    let again = plan(&scene.checkout, &scene.vault, &request).unwrap();
    let refused = execute(&scene.checkout, &scene.vault, &again).unwrap_err();
    assert_eq!(refused.code(), "landing_interrupted");
    let anew = plan(&scene.checkout, &scene.vault, &request).unwrap_err();
    assert_eq!(anew.code(), "target_moved");
}

#[test]
fn a_failure_in_the_middle_is_taken_back() {
    let scene = scene();
    let before = content_of(scene.repository());
    let tree = scene.snapshot().tree;
    let made = plan(&scene.checkout, &scene.vault, &request(&scene, tree)).unwrap();
    let top = scene.repository().to_owned();
    let result = in_steps(&scene.checkout, &scene.vault, &made, &mut |at| {
        if at == Step::IndexLocked {
            // An index that cannot be read fails the command that would change the files.
            fs::rename(top.join(".git/index"), top.join("../index-aside")).unwrap();
            fs::create_dir(top.join(".git/index")).unwrap();
        }
        Ok(())
    });
    assert!(
        matches!(result, Err(LandError::Interrupted { .. })),
        "it cannot be taken back either"
    );
    fs::remove_dir(scene.repository().join(".git/index")).unwrap();
    fs::rename(
        scene.root().join("index-aside"),
        scene.repository().join(".git/index"),
    )
    .unwrap();
    assert_eq!(content_of(scene.repository()), before);

    // A branch that somebody moved by force while files were written.
    let scene = self::scene();
    let tree = scene.snapshot().tree;
    let made = plan(&scene.checkout, &scene.vault, &request(&scene, tree)).unwrap();
    let top = scene.repository().to_owned();
    let refused = in_steps(&scene.checkout, &scene.vault, &made, &mut |at| {
        if at == Step::IndexInPlace {
            fs::remove_file(top.join(".git/refs/heads/main.lock")).unwrap();
            fs::create_dir(top.join(".git/refs/heads/main.lock")).unwrap();
        }
        Ok(())
    })
    .unwrap_err();
    assert_eq!(refused.code(), "target_raced", "{refused}");
    assert_eq!(content_of(&top), before);
    fs::remove_dir(top.join(".git/refs/heads/main.lock")).unwrap();
    assert_eq!(git_text(&top, ["status", "--porcelain"]), "");
    assert!(!top.join(".git/index.lock").exists());
}
