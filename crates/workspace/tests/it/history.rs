//! The agent's own commits: kept if they are what they should be, refused without a trace if not.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dogwatch_workspace::history::{
    History, HistoryError, HistoryLimits, HistoryRefusal, HistoryRequest, bundle_command, import,
};
use dogwatch_workspace::land::{PlanKind, PromotionRequest, execute, plan};
use dogwatch_workspace::{ObjectId, Snapshot};

use crate::support::{AT, Scene, commit_all, git, git_command, git_text, run, write};

fn scene() -> Scene {
    Scene::new(|top| {
        write(top.join("file"), "before\n");
        write(top.join("dir/file"), "x\n");
    })
}

fn bundle(scene: &Scene) -> PathBuf {
    scene.root().join("history.bundle")
}

/// Runs the command of the runner, as the shim would.
pub(crate) fn make_bundle(scene: &Scene) -> bool {
    let made = bundle_command(scene.base, &bundle(scene));
    let mut command = Command::new(&made.argv[0]);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .args(&made.argv[1..])
        .envs(made.env)
        .current_dir(&scene.clone);
    command.output().unwrap().status.success()
}

fn request<'a>(scene: &Scene, paths: &'a [PathBuf; 2], tree: ObjectId) -> HistoryRequest<'a> {
    HistoryRequest {
        bundle: &paths[0],
        quarantine: &paths[1],
        run: run(),
        base: scene.base,
        tree,
        included: &[],
        message: "result of the run\n",
        at: AT,
        limits: HistoryLimits::default(),
    }
}

pub(crate) fn import_with(
    scene: &Scene,
    tree: ObjectId,
    included: &[ObjectId],
    change: impl FnOnce(&mut HistoryRequest<'_>),
) -> Result<History, HistoryError> {
    let paths = [bundle(scene), scene.root().join("quarantine")];
    let mut request = request(scene, &paths, tree);
    request.included = included;
    change(&mut request);
    let result = import(&scene.vault, &request);
    assert!(!paths[1].exists(), "the quarantine is gone");
    result
}

fn import_it(scene: &Scene, tree: ObjectId) -> History {
    import_with(scene, tree, &[], |_| {}).unwrap()
}

/// Two commits and the snapshot of what they led to.
fn two_commits(scene: &Scene) -> (ObjectId, Snapshot) {
    write(scene.clone.join("file"), "half\n");
    commit_all(&scene.clone, "first step");
    write(scene.clone.join("file"), "after\n");
    let tip = commit_all(&scene.clone, "second step");
    assert!(make_bundle(scene));
    (tip, scene.snapshot())
}

fn has(scene: &Scene, id: &str) -> bool {
    git_command(scene.vault.path())
        .args(["--git-dir=.", "cat-file", "-e", id])
        .status()
        .unwrap()
        .success()
}

#[test]
fn commits_that_lead_to_the_result_are_kept_and_land() {
    for format in ["sha1", "sha256"] {
        let scene = Scene::with_format(format, |top| write(top.join("file"), "before\n"));
        let (tip, snapshot) = two_commits(&scene);
        for _ in 0..2 {
            let kept = import_it(&scene, snapshot.tree);
            let History::Kept {
                tip: found,
                commits,
            } = kept
            else {
                panic!("{kept:?}");
            };
            assert_eq!((found, commits), (tip, 2));
        }
        scene.fsck();
        let landing = PromotionRequest {
            history: Some(tip),
            ..crate::land::request(&scene, snapshot.tree)
        };
        let plan = plan(&scene.checkout, &scene.vault, &landing).unwrap();
        assert_eq!(plan.kind(), PlanKind::FastForward);
        execute(&scene.checkout, &scene.vault, &plan).unwrap();
        let top = scene.repository();
        let log = git_text(top, ["log", "--format=%s|%an|%cn"]);
        assert_eq!(
            log,
            "second step|A Person|dogwatch\nfirst step|A Person|A Person\nbase|A Person|A Person"
        );
        let trailer = "--format=%(trailers:key=Dogwatch-Run,valueonly)";
        assert_eq!(git_text(top, ["log", "-1", trailer]), run().to_string());
        assert_eq!(git_text(top, ["status", "--porcelain"]), "");
    }
}

#[test]
fn merges_within_the_run_are_history_too() {
    let scene = scene();
    git(&scene.clone, ["checkout", "-q", "-b", "side"]);
    write(scene.clone.join("side"), "side\n");
    commit_all(&scene.clone, "side");
    git(&scene.clone, ["checkout", "-q", "-"]);
    write(scene.clone.join("file"), "after\n");
    commit_all(&scene.clone, "main");
    git(&scene.clone, ["merge", "-q", "side", "-m", "both"]);
    assert!(make_bundle(&scene));
    let kept = import_it(&scene, scene.snapshot().tree);
    assert!(matches!(kept, History::Kept { commits: 3, .. }), "{kept:?}");
}

#[track_caller]
fn refused(history: History) -> (ObjectId, HistoryRefusal) {
    match history {
        History::OneCommit { commit, reason } => (commit, reason),
        History::Kept { .. } => panic!("{history:?}"),
    }
}

#[test]
fn without_commits_the_result_is_one_commit() {
    let scene = scene();
    write(scene.clone.join("file"), "after\n");
    assert!(!make_bundle(&scene), "there is nothing to pack");
    let tree = scene.snapshot().tree;
    let (commit, reason) = refused(import_it(&scene, tree));
    assert_eq!(reason.code(), "history_none");
    assert_eq!(refused(import_it(&scene, tree)).0, commit);
    let vault = scene.vault.path();
    let name = format!("refs/dogwatch/runs/{}/result", run());
    let shown = git_text(
        vault,
        [
            "--git-dir=.",
            "log",
            "-1",
            "--format=%H %T %P %an %s",
            &name,
        ],
    );
    let expected = format!("{commit} {tree} {} dogwatch result of the run", scene.base);
    assert_eq!(shown, expected);
}

#[test]
fn another_result_than_tree_t_is_no_history() {
    let scene = scene();
    let (tip, _) = two_commits(&scene);
    write(scene.clone.join("file"), "and more\n");
    let tree = scene.try_snapshot("turn-002").unwrap().tree;
    let (_, reason) = refused(import_it(&scene, tree));
    assert_eq!(reason.code(), "history_other_tree");
    assert!(
        !has(&scene, &tip.to_string()),
        "nothing of it is in the vault"
    );
}

#[test]
fn limits_are_limits() {
    let scene = scene();
    let (tip, snapshot) = two_commits(&scene);
    let of = |change: fn(&mut HistoryLimits)| {
        let history = import_with(&scene, snapshot.tree, &[], |request| {
            change(&mut request.limits);
        });
        refused(history.unwrap()).1.code()
    };
    assert_eq!(of(|limits| limits.bytes = 100), "history_too_large");
    assert_eq!(of(|limits| limits.commits = 1), "history_too_large");
    assert_eq!(of(|limits| limits.objects = 3), "history_too_large");
    assert_eq!(of(|limits| limits.unpacked_bytes = 10), "history_too_large");
    assert_eq!(of(|limits| limits.paths = 1), "history_too_large");
    assert_eq!(
        of(|limits| limits.time = Duration::ZERO),
        "history_objects_refused"
    );
    assert!(!has(&scene, &tip.to_string()));
}

#[test]
fn only_a_regular_file_is_a_bundle() {
    let scene = scene();
    let (_, snapshot) = two_commits(&scene);
    let path = bundle(&scene);
    let aside = scene.root().join("aside.bundle");
    fs::rename(&path, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &path).unwrap();
    let code = || refused(import_it(&scene, snapshot.tree)).1.code();
    assert_eq!(code(), "history_unreadable");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(code(), "history_unreadable");
    fs::remove_dir(&path).unwrap();
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert_eq!(code(), "history_unreadable");
    fs::remove_file(&path).unwrap();
    write(&path, "not a bundle");
    assert_eq!(code(), "history_bundle_form");
    let whole = fs::read(&aside).unwrap();
    write(&path, &whole[..whole.len() - 30]);
    assert_eq!(code(), "history_objects_refused");
    let mut flipped = whole.clone();
    let middle = whole.len() - 60;
    flipped[middle] ^= 0x55;
    write(&path, flipped);
    assert_eq!(code(), "history_objects_refused");
}

/// Writes a raw object into the clone, past every check of git.
fn raw_object(clone: &Path, kind: &str, content: &[u8]) -> String {
    let mut child = git_command(clone)
        .args(["hash-object", "-w", "--literally", "-t", kind, "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn tree_with(clone: &Path, mode: &str, name: &str, id: &str) -> String {
    let mut raw = format!("{mode} {name}\0").into_bytes();
    for pair in id.as_bytes().chunks(2) {
        raw.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    }
    raw_object(clone, "tree", &raw)
}

fn commit_of(scene: &Scene, tree: &str, parent: &str, message: &str) -> String {
    let text = format!(
        "tree {tree}\nparent {parent}\nauthor A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\n{message}\n"
    );
    raw_object(&scene.clone, "commit", text.as_bytes())
}

/// A commit with a hostile tree, and one after it with the tree of base, so that only what is in between is wrong.
fn hidden_behind_base(scene: &Scene, tree: &str) -> String {
    let hostile = commit_of(scene, tree, &scene.base.to_string(), "hostile");
    let last = commit_of(scene, &scene.base_tree().to_string(), &hostile, "harmless");
    git(&scene.clone, ["update-ref", "HEAD", &last]);
    assert!(make_bundle(scene));
    hostile
}

#[test]
fn no_tree_of_a_history_has_a_forbidden_name() {
    for (mode, name) in [
        ("40000", ".git"),
        ("40000", ".GIT"),
        ("40000", "git~1"),
        ("40000", ".."),
        ("40000", "."),
        ("40000", ".git "),
        ("40000", "a/b"),
        ("160000", "module"),
        ("120000", ".gitmodules"),
    ] {
        let scene = scene();
        let id = match mode {
            "40000" => git_text(&scene.clone, ["rev-parse", "HEAD:dir"]),
            "160000" => scene.base.to_string(),
            _ => git_text(&scene.clone, ["rev-parse", "HEAD:file"]),
        };
        let tree = tree_with(&scene.clone, mode, name, &id);
        let hostile = hidden_behind_base(&scene, &tree);
        let (_, reason) = refused(import_it(&scene, scene.base_tree()));
        assert!(
            matches!(
                reason.code(),
                "history_objects_refused" | "history_tree_refused"
            ),
            "{name}: {reason}"
        );
        for id in [hostile, tree] {
            assert!(!has(&scene, &id), "{name}");
        }
    }
}

#[test]
fn what_lies_in_the_vault_already_is_checked_as_well() {
    let scene = scene();
    let inner = git_text(&scene.clone, ["rev-parse", "HEAD:dir"]);
    let tree = tree_with(&scene.clone, "40000", ".git", &inner);
    // As if it had come in unchecked before: git's own check passes over what is there.
    fs::create_dir_all(scene.vault.objects().join(&tree[..2])).unwrap();
    fs::copy(
        scene
            .clone
            .join(".git/objects")
            .join(&tree[..2])
            .join(&tree[2..]),
        scene.vault.objects().join(&tree[..2]).join(&tree[2..]),
    )
    .unwrap();
    assert!(has(&scene, &tree));
    let hostile = hidden_behind_base(&scene, &tree);
    // A bundle with the commits alone is complete, as the vault has the rest.
    let tip = git_text(&scene.clone, ["rev-parse", "HEAD"]);
    let mut file = format!("# v2 git bundle\n-{} base\n{tip} HEAD\n\n", scene.base).into_bytes();
    file.extend(fed(
        &scene.clone,
        &["pack-objects", "--stdout", "-q"],
        &format!("{hostile}\n{tip}\n"),
    ));
    write(bundle(&scene), file);
    let (_, reason) = refused(import_it(&scene, scene.base_tree()));
    assert_eq!(reason.code(), "history_tree_refused", "{reason}");
}

#[test]
fn a_history_starts_at_base_and_speaks_for_itself() {
    let tree = |scene: &Scene| scene.base_tree().to_string();
    let code = |scene: &Scene, tip: &str| {
        git(&scene.clone, ["update-ref", "HEAD", tip]);
        assert!(make_bundle(scene));
        refused(import_it(scene, scene.base_tree())).1.code()
    };
    let scene = scene();
    let base = scene.base.to_string();
    let forged = commit_of(&scene, &tree(&scene), &base, "x\n\nDogwatch-Run: forged");
    assert_eq!(code(&scene, &forged), "history_commit_refused");
    let escapes = commit_of(&scene, &tree(&scene), &base, "x\u{1b}]0;y\u{7}");
    assert_eq!(code(&scene, &escapes), "history_commit_refused");
    let root = format!(
        "tree {}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nroot\n",
        tree(&scene)
    );
    let root = raw_object(&scene.clone, "commit", root.as_bytes());
    let joined = format!(
        "tree {}\nparent {base}\nparent {root}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\njoined\n",
        tree(&scene)
    );
    let joined = raw_object(&scene.clone, "commit", joined.as_bytes());
    assert_eq!(code(&scene, &joined), "history_foreign_parent");
    git(&scene.clone, ["update-ref", "HEAD", &root]);
    assert!(make_bundle(&scene));
    assert_eq!(
        refused(import_it(&scene, scene.base_tree())).1.code(),
        "history_bundle_form",
        "it does not build on base at all"
    );
}

#[test]
fn a_few_trees_do_not_stand_for_a_billion_paths() {
    let scene = scene();
    let blob = git_text(&scene.clone, ["rev-parse", "HEAD:file"]);
    let mut level = {
        let entries: String = (0..10)
            .map(|n| format!("100644 blob {blob}\tf{n}\n"))
            .collect();
        mktree(&scene.clone, &entries)
    };
    for _ in 0..9 {
        let entries: String = (0..10)
            .map(|n| format!("040000 tree {level}\td{n}\n"))
            .collect();
        level = mktree(&scene.clone, &entries);
    }
    hidden_behind_base(&scene, &level);
    let (_, reason) = refused(import_it(&scene, scene.base_tree()));
    assert_eq!(reason.code(), "history_too_large", "{reason}");
}

fn fed(clone: &Path, arguments: &[&str], input: &str) -> Vec<u8> {
    let mut child = git_command(clone)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap().stdout
}

fn mktree(clone: &Path, entries: &str) -> String {
    let id = fed(clone, &["mktree"], entries);
    String::from_utf8(id).unwrap().trim().to_owned()
}

#[test]
fn files_that_came_along_do_not_leave_by_way_of_history() {
    let scene = scene();
    write(scene.clone.join("copy"), "SECRET=1\n");
    commit_all(&scene.clone, "with a secret");
    fs::remove_file(scene.clone.join("copy")).unwrap();
    commit_all(&scene.clone, "without");
    assert!(make_bundle(&scene));
    let secret = git_text(&scene.clone, ["rev-parse", "HEAD~1:copy"])
        .parse()
        .unwrap();
    let tree = scene.snapshot().tree;
    let history = import_with(&scene, tree, &[secret], |_| {});
    assert_eq!(refused(history.unwrap()).1.code(), "history_included_file");
    assert!(!has(&scene, &secret.to_string()));
}
