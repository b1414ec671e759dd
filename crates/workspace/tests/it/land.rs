//! What lands in the user's repository, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dogwatch_core::Sha256Digest;
use dogwatch_workspace::land::{
    Author, LandError, Landed, Mode, Plan, PlanKind, PromotionRequest, execute, plan,
};
use dogwatch_workspace::{Checkout, ObjectId};

use crate::support::{AT, Scene, commit_all, content_of, git, git_command, git_text, run, write};

pub(crate) fn request<'a>(scene: &Scene, tree: ObjectId) -> PromotionRequest<'a> {
    PromotionRequest {
        run: run(),
        tree,
        base: scene.base,
        history: None,
        message: "change the file\n\nwith a reason\n",
        author: Author::new("A Person", "person@example.com").unwrap(),
        bundle: Sha256Digest::of(b"manifest"),
        at: AT,
        mode: Mode::FastForward,
        target: None,
    }
}

fn scene() -> Scene {
    let scene = Scene::new(|top| {
        write(top.join("file"), "before\n");
        write(top.join("dir/other"), "other\n");
        write(top.join(".gitignore"), "*.ignored\n");
    });
    write(scene.clone.join("file"), "after\n");
    write(scene.clone.join("new/file"), "new\n");
    scene
}

fn try_land(scene: &Scene, request: &PromotionRequest<'_>) -> Result<(Plan, Landed), LandError> {
    let plan = plan(&scene.checkout, &scene.vault, request)?;
    let landed = execute(&scene.checkout, &scene.vault, &plan)?;
    Ok((plan, landed))
}

/// Everything a promotion could change: files, refs, status.
type State = (BTreeMap<Vec<u8>, (char, Vec<u8>)>, String, String);

fn state(scene: &Scene) -> State {
    let top = scene.repository();
    (
        content_of(top),
        git_text(top, ["for-each-ref"]) + &git_text(top, ["rev-parse", "HEAD"]),
        git_text(top, ["status", "--porcelain", "--untracked-files=all"]),
    )
}

#[track_caller]
fn assert_refused(scene: &Scene, request: &PromotionRequest<'_>, code: &str) {
    let before = state(scene);
    let refused = try_land(scene, request).unwrap_err();
    assert_eq!(refused.code(), code, "{refused}");
    assert_eq!(state(scene), before);
}

#[test]
fn a_fast_forward_moves_branch_index_and_files() {
    for format in ["sha1", "sha256"] {
        let scene = Scene::with_format(format, |top| write(top.join("file"), "before"));
        write(scene.clone.join("file"), "after");
        let top = scene.repository();
        write(top.join("notes"), "untracked");
        let (plan, landed) = try_land(&scene, &request(&scene, scene.snapshot().tree)).unwrap();
        assert_eq!(plan.kind(), PlanKind::FastForward);
        assert_eq!(landed.reference, "refs/heads/main");
        assert_eq!(
            git_text(top, ["rev-parse", "HEAD"]),
            landed.commit.to_string()
        );
        assert_eq!(fs::read(top.join("file")).unwrap(), b"after");
        assert_eq!(git_text(top, ["status", "--porcelain"]), "?? notes");
        assert_eq!(git_text(top, ["for-each-ref", "refs/dogwatch"]), "");
        assert_eq!(git_text(top, ["fsck", "--strict"]), "");
        let trailers = git_text(top, ["log", "-1", "--format=%(trailers)%an <%ae>|%cn|%P"]);
        let expected = format!(
            "Dogwatch-Run: {}\nDogwatch-Bundle: {}\n\nA Person <person@example.com>|dogwatch|{}",
            run(),
            Sha256Digest::of(b"manifest"),
            scene.base
        );
        assert_eq!(
            trailers.replace("\n\n", "\n"),
            expected.replace("\n\n", "\n")
        );
        let reflog = git_text(top, ["reflog", "-1", "--format=%gs", "main"]);
        assert_eq!(reflog, "dogwatch: promote");
    }
}

#[test]
fn landing_again_changes_nothing() {
    let scene = scene();
    let request = request(&scene, scene.snapshot().tree);
    let (plan, landed) = try_land(&scene, &request).unwrap();
    let before = state(&scene);
    let again = execute(&scene.checkout, &scene.vault, &plan).unwrap();
    assert!(again.was_landed);
    let (later, again) = try_land(&scene, &request).unwrap();
    assert_eq!((later.kind(), again.was_landed), (PlanKind::Landed, true));
    assert_eq!(state(&scene), before);
    // Also when the branch has gone on since.
    commit_all(scene.repository(), "more");
    let (later, again) = try_land(&scene, &request).unwrap();
    assert_eq!(later.kind(), PlanKind::Landed);
    assert_ne!(again.commit, landed.commit);
}

#[test]
fn a_new_branch_touches_nothing_else() {
    let scene = scene();
    let top = scene.repository();
    // Neither a dirty worktree nor a detached HEAD is in its way.
    write(top.join("file"), "mine\n");
    git(top, ["checkout", "-q", "--detach"]);
    let before = content_of(top);
    let branch = |name: &str| PromotionRequest {
        mode: Mode::Branch(name.to_owned()),
        ..request(&scene, scene.snapshot().tree)
    };
    let (plan, landed) = try_land(&scene, &branch("dogwatch/fix")).unwrap();
    assert_eq!(plan.kind(), PlanKind::NewBranch);
    assert_eq!(landed.reference, "refs/heads/dogwatch/fix");
    assert_eq!(content_of(top), before);
    assert_eq!(git_text(top, ["show", "dogwatch/fix:new/file"]), "new");
    let (_, again) = try_land(&scene, &branch("dogwatch/fix")).unwrap();
    assert!(again.was_landed);
    git(top, ["branch", "taken"]);
    assert_refused(&scene, &branch("taken"), "branch_exists");
    for name in [
        "-f",
        "a b",
        "a;touch x",
        "../x",
        "HEAD",
        "refs/heads/x",
        "a\u{3000}b",
    ] {
        assert_refused(&scene, &branch(name), "branch_name");
    }
    // A branch cannot be below another.
    assert_refused(&scene, &branch("taken/below"), "target_raced");
}

#[test]
fn a_branch_that_moved_is_merged_or_refused() {
    let scene = scene();
    let top = scene.repository();
    write(top.join("dir/other"), "moved\n");
    let tip = commit_all(top, "meanwhile");
    let fast = request(&scene, scene.snapshot().tree);
    assert_refused(&scene, &fast, "target_moved");
    let merge = PromotionRequest {
        mode: Mode::Merge,
        ..fast
    };
    let (plan, landed) = try_land(&scene, &merge).unwrap();
    assert_eq!((plan.kind(), plan.before()), (PlanKind::Merge, Some(tip)));
    assert_eq!(fs::read(top.join("dir/other")).unwrap(), b"moved\n");
    assert_eq!(fs::read(top.join("file")).unwrap(), b"after\n");
    assert_eq!(git_text(top, ["status", "--porcelain"]), "");
    let parents = git_text(top, ["log", "-1", "--format=%P"]);
    assert!(parents.starts_with(&tip.to_string()), "{parents}");
    let run_trailer = "--format=%(trailers:key=Dogwatch-Run,valueonly)";
    assert_eq!(git_text(top, ["log", "-1", run_trailer]), run().to_string());
    assert_eq!(
        landed.commit.to_string(),
        git_text(top, ["rev-parse", "main"])
    );
    assert!(try_land(&scene, &merge).unwrap().1.was_landed);
}

#[test]
fn conflicts_are_named_and_change_nothing() {
    let scene = scene();
    write(scene.repository().join("file"), "theirs\n");
    commit_all(scene.repository(), "meanwhile");
    let merge = PromotionRequest {
        mode: Mode::Merge,
        ..request(&scene, scene.snapshot().tree)
    };
    assert_refused(&scene, &merge, "merge_conflicts");
    let refused = try_land(&scene, &merge).unwrap_err();
    assert!(
        matches!(&refused, LandError::Conflicts { paths, .. } if paths.sample[0].as_bytes() == b"file"),
        "{refused}"
    );
    git(
        scene.repository(),
        ["checkout", "-q", "--orphan", "unrelated"],
    );
    commit_all(scene.repository(), "unrelated");
    assert_refused(&scene, &merge, "merge_unrelated");
}

#[test]
fn a_dirty_or_occupied_worktree_is_refused() {
    let scene = scene();
    let top = scene.repository();
    let landing = request(&scene, scene.snapshot().tree);
    let dirty = |path: &str| {
        write(top.join(path), "mine\n");
        assert_refused(&scene, &landing, "target_dirty");
    };
    dirty("file");
    git(top, ["checkout", "-q", "."]);
    dirty("dir/other");
    git(top, ["add", "-A"]);
    assert_refused(&scene, &landing, "target_dirty");
    git(top, ["reset", "-q", "--hard"]);
    write(top.join("new/file"), "mine\n");
    assert_refused(&scene, &landing, "target_untracked_in_the_way");
    fs::remove_dir_all(top.join("new")).unwrap();
    write(top.join("new"), "a file\n");
    assert_refused(&scene, &landing, "target_untracked_in_the_way");
    fs::remove_file(top.join("new")).unwrap();
    // git itself would overwrite an ignored file without a word.
    write(scene.clone.join(".gitignore"), "");
    write(scene.clone.join("secret.ignored"), "the agent's\n");
    write(top.join("secret.ignored"), "the user's\n");
    let tree = scene.try_snapshot("turn-002").unwrap().tree;
    assert_refused(
        &scene,
        &request(&scene, tree),
        "target_untracked_in_the_way",
    );
    fs::write(top.join(".git/index.lock"), "").unwrap();
    let refused = try_land(&scene, &landing).unwrap_err();
    assert_eq!(refused.code(), "index_locked");
    assert!(
        top.join(".git/index.lock").exists(),
        "it is somebody else's"
    );
    fs::remove_file(top.join(".git/index.lock")).unwrap();
    try_land(&scene, &landing).unwrap();
}

#[test]
fn what_is_half_done_is_left_alone() {
    let scene = scene();
    let top = scene.repository();
    let landing = request(&scene, scene.snapshot().tree);
    let git_dir = top.join(".git");
    for name in [
        "MERGE_HEAD",
        "CHERRY_PICK_HEAD",
        "REVERT_HEAD",
        "BISECT_LOG",
    ] {
        fs::write(git_dir.join(name), format!("{}\n", scene.base)).unwrap();
        let refused = try_land(&scene, &landing).unwrap_err();
        assert_eq!(refused.code(), "target_in_progress", "{name}");
        fs::remove_file(git_dir.join(name)).unwrap();
    }
    // A rebase detaches HEAD, so the branch is not checked out anywhere and still not free.
    let named = PromotionRequest {
        target: Some("main"),
        ..landing.clone()
    };
    git(top, ["checkout", "-q", "--detach"]);
    write(git_dir.join("rebase-merge/head-name"), "refs/heads/main\n");
    let refused = try_land(&scene, &named).unwrap_err();
    assert_eq!(refused.code(), "target_in_progress");
    fs::remove_dir_all(git_dir.join("rebase-merge")).unwrap();
    assert_refused(&scene, &landing, "target_detached");
    let (plan, _) = try_land(&scene, &named).unwrap();
    assert_eq!(plan.worktree(), None);
    assert_eq!(fs::read(top.join("file")).unwrap(), b"before\n");
}

#[test]
fn the_branch_of_another_worktree_gets_its_files_there() {
    let scene = scene();
    let top = scene.repository();
    let linked = scene.root().join("linked");
    git(top, ["branch", "side"]);
    git(
        top,
        ["worktree", "add", "-q", linked.to_str().unwrap(), "side"],
    );
    let landing = PromotionRequest {
        target: Some("side"),
        ..request(&scene, scene.snapshot().tree)
    };
    let before = content_of(top);
    write(linked.join("file"), "mine\n");
    assert_refused(&scene, &landing, "target_dirty");
    git(&linked, ["checkout", "-q", "."]);
    let (plan, _) = try_land(&scene, &landing).unwrap();
    assert_eq!(
        plan.worktree().unwrap().canonicalize().unwrap(),
        linked.canonicalize().unwrap()
    );
    assert_eq!(fs::read(linked.join("file")).unwrap(), b"after\n");
    assert_eq!(git_text(&linked, ["status", "--porcelain"]), "");
    assert_eq!(content_of(top), before);
    fs::remove_dir_all(&linked).unwrap();
    let tree = scene.base_tree();
    let again = PromotionRequest {
        tree,
        mode: Mode::Merge,
        message: "other",
        ..landing
    };
    assert_refused(&scene, &again, "target_worktree_missing");
}

#[test]
fn odd_targets_are_refused() {
    let scene = scene();
    let top = scene.repository();
    let landing = request(&scene, scene.snapshot().tree);
    for target in [
        "missing",
        "main~0",
        "main@{0}",
        "HEAD",
        "",
        "--all",
        "main\nmain",
        "*",
    ] {
        let landing = PromotionRequest {
            target: Some(target),
            ..landing.clone()
        };
        assert_refused(&scene, &landing, "target_missing");
    }
    git(top, ["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    let alias = PromotionRequest {
        target: Some("alias"),
        ..landing.clone()
    };
    assert_refused(&scene, &alias, "target_symbolic");
    fs::write(top.join(".git/shallow"), format!("{}\n", scene.base)).unwrap();
    assert_refused(&scene, &landing, "target_shallow");
    fs::remove_file(top.join(".git/shallow")).unwrap();
    git(top, ["checkout", "-q", "--orphan", "unborn"]);
    let refused = try_land(&scene, &landing).unwrap_err();
    assert_eq!(refused.code(), "target_missing");
}

#[test]
fn a_submodule_does_not_change_by_landing() {
    let scene = Scene::new(|top| {
        write(top.join("file"), "x");
        let module = top.parent().unwrap().join("module");
        crate::support::init(&module, "sha1");
        let commit = commit_all(&module, "one");
        let entry = format!("160000,{commit},module");
        git(top, ["update-index", "--add", "--cacheinfo", &entry]);
        fs::create_dir(top.join("module")).unwrap();
    });
    write(scene.clone.join("file"), "y");
    let unchanged = request(&scene, scene.snapshot().tree);
    write(scene.clone.join("module/code"), "x");
    let tree = scene.try_snapshot("turn-002").unwrap().tree;
    assert_refused(&scene, &request(&scene, tree), "submodule_changed");
    try_land(&scene, &unchanged).unwrap();
}

#[test]
fn the_users_own_filters_and_line_endings_apply_to_the_users_files() {
    let scene = Scene::new(|top| {
        write(
            top.join(".gitattributes"),
            "*.txt text eol=crlf\n*.up filter=upper\n",
        );
        write(top.join("a.txt"), "one\r\n");
        write(top.join("b.up"), "x\n");
    });
    let top = scene.repository();
    git(top, ["config", "filter.upper.smudge", "tr a-z A-Z"]);
    git(top, ["config", "filter.upper.clean", "tr A-Z a-z"]);
    git(top, ["checkout", "-q", "--", "."]);
    write(scene.clone.join("a.txt"), "two\n");
    write(scene.clone.join("b.up"), "changed\n");
    // A name is all that a repository can say about a filter.
    write(
        scene.clone.join(".gitattributes"),
        "*.txt text eol=crlf\n*.up filter=upper\n*.evil filter=unknown\n",
    );
    write(scene.clone.join("c.evil"), "evil\n");
    try_land(&scene, &request(&scene, scene.snapshot().tree)).unwrap();
    assert_eq!(fs::read(top.join("a.txt")).unwrap(), b"two\r\n");
    assert_eq!(fs::read(top.join("b.up")).unwrap(), b"CHANGED\n");
    assert_eq!(fs::read(top.join("c.evil")).unwrap(), b"evil\n");
    assert_eq!(git_text(top, ["status", "--porcelain"]), "");
}

#[test]
fn objects_that_git_refuses_do_not_arrive() {
    let scene = scene();
    write(
        scene.clone.join(".gitmodules"),
        "[submodule \"x\"]\n\tpath = x\n\turl = --upload-pack=touch\n",
    );
    let landing = request(&scene, scene.snapshot().tree);
    assert_refused(&scene, &landing, "objects_refused");
}

#[test]
fn a_checkout_looked_at_long_ago_is_looked_at_again() {
    let scene = scene();
    let top = scene.repository();
    let landing = request(&scene, scene.snapshot().tree);
    let plan = plan(&scene.checkout, &scene.vault, &landing).unwrap();
    write(top.join("file"), "mine\n");
    let refused = execute(&scene.checkout, &scene.vault, &plan).unwrap_err();
    assert_eq!(refused.code(), "target_dirty");
    git(top, ["checkout", "-q", "."]);
    git(top, ["checkout", "-q", "-b", "elsewhere"]);
    let refused = execute(&scene.checkout, &scene.vault, &plan).unwrap_err();
    assert_eq!(refused.code(), "target_raced");
    git(top, ["checkout", "-q", "main"]);
    commit_all(top, "meanwhile");
    git(top, ["commit", "-q", "--allow-empty", "-m", "moved"]);
    let refused = execute(&scene.checkout, &scene.vault, &plan).unwrap_err();
    assert_eq!(refused.code(), "target_raced");
    assert!(!exists_lock(top));
}

fn exists_lock(top: &Path) -> bool {
    let git_dir = Checkout::discover(top).unwrap().git_dir().to_owned();
    let refs = git_command(top)
        .args(["for-each-ref"])
        .status()
        .unwrap()
        .success();
    !refs || git_dir.join("index.lock").exists() || git_dir.join("refs/heads/main.lock").exists()
}

#[test]
fn the_index_may_be_split_or_sparse() {
    let scene = scene();
    let top = scene.repository();
    let landing = request(&scene, scene.snapshot().tree);
    git(top, ["config", "core.splitIndex", "true"]);
    git(top, ["update-index", "--split-index"]);
    try_land(&scene, &landing).unwrap();
    assert_eq!(git_text(top, ["status", "--porcelain"]), "");
    assert_eq!(fs::read(top.join("file")).unwrap(), b"after\n");

    let scene = self::scene();
    let top = scene.repository();
    let landing = request(&scene, scene.snapshot().tree);
    git(top, ["sparse-checkout", "set", "--cone", "dir"]);
    try_land(&scene, &landing).unwrap();
    assert_eq!(git_text(top, ["status", "--porcelain"]), "");
    assert!(!top.join("new").exists(), "outside of what is checked out");
    assert_eq!(git_text(top, ["show", "HEAD:new/file"]), "new");
}
