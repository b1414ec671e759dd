//! Where a change lands, and what keeps it from landing.

use dogwatch_testkit::Repo;
use serde_json::json;

use super::stage::{SUMMARY, Stage};
use crate::support::Case;

#[test]
fn a_branch_that_did_not_move_goes_forward_with_its_files() {
    let stage = Stage::new();
    let said = stage.promoted(&[]);
    assert_eq!(said["landed"]["how"], "fast_forward");
    assert_eq!(said["before"], stage.base.as_str());
    assert_eq!(said["was_landed"], false);
    stage.has_landed("refs/heads/main");
    let repo = &stage.case.repo;
    assert_eq!(repo.status(), "");
    assert_eq!(repo.resolve("main^"), stage.base);
    assert_eq!(
        std::fs::read(repo.path().join("answer.txt")).unwrap(),
        b"42\n"
    );
    // The task is the subject, and what the agent says of it is the body.
    let message = repo.git(["log", "-1", "--format=%B"]).text();
    assert!(
        message.starts_with(&format!("do it\n\n{SUMMARY}\n\n")),
        "{message}"
    );
}

#[test]
fn a_new_branch_leaves_the_checkout_as_it_is() {
    let stage = Stage::new();
    // Changes of one's own are in nobody's way.
    stage.case.repo.write("notes.txt", "mine\n");
    let said = stage.promoted(&["--branch", "fix/answer", "--message", "Answer it"]);
    assert_eq!(said["landed"]["how"], "branch");
    stage.has_landed("refs/heads/fix/answer");
    let repo = &stage.case.repo;
    assert_eq!(repo.head(), stage.base);
    assert_eq!(repo.status(), " M notes.txt");
    let message = repo.git(["log", "-1", "--format=%s", "fix/answer"]).text();
    assert_eq!(message, "Answer it");
}

#[test]
fn a_branch_that_is_not_checked_out_moves_without_files() {
    let stage = Stage::new();
    stage.case.repo.branch("release");
    let said = stage.promoted(&["--into", "release"]);
    assert_eq!(said["worktree"], serde_json::Value::Null);
    stage.has_landed("refs/heads/release");
    assert_eq!(stage.case.repo.head(), stage.base);
}

#[test]
fn a_branch_that_moved_is_merged_if_asked() {
    let stage = Stage::new();
    let repo = &stage.case.repo;
    let moved = repo.write("README.md", "# Another\n").commit("meanwhile");
    let refused = stage.promote(&[]);
    refused.expect_refusal("target_moved", &["main", "--merge"]);
    stage.is_untouched(&moved);
    // That it did not land costs nothing: not even a verdict is on record.
    assert_eq!(stage.header()["judgement"], json!(null));
    let said = stage.promoted(&["--merge"]);
    assert_eq!(said["landed"]["how"], "merge");
    stage.has_landed("refs/heads/main");
    assert_eq!(repo.resolve("main^1"), moved);
    assert_eq!(repo.resolve("main^2^"), stage.base);
    assert_eq!(repo.status(), "");
}

#[test]
fn a_merge_with_conflicts_is_refused_and_a_branch_is_the_way_out() {
    let stage = Stage::new();
    let repo = &stage.case.repo;
    let moved = repo.write("notes.txt", "first\nmine\n").commit("meanwhile");
    let refused = stage.promote(&["--merge"]);
    refused.expect_refusal("merge_conflicts", &["notes.txt", "--branch"]);
    stage.is_untouched(&moved);
    assert_eq!(repo.status(), "");
    stage.promoted(&["--branch", "by-hand"]);
    stage.has_landed("refs/heads/by-hand");
}

#[test]
fn what_is_not_committed_is_never_touched() {
    let stage = Stage::new();
    let repo = &stage.case.repo;
    repo.write("notes.txt", "mine\n");
    let refused = stage.promote(&[]);
    refused.expect_refusal("target_dirty", &["notes.txt", "stash"]);
    stage.is_untouched(&stage.base);
    assert_eq!(repo.status(), " M notes.txt");

    repo.git(["checkout", "--", "notes.txt"]).expect_success();
    repo.write("answer.txt", "mine\n");
    let refused = stage.promote(&[]);
    refused.expect_refusal("target_untracked_in_the_way", &["answer.txt"]);
    stage.is_untouched(&stage.base);
    assert_eq!(
        std::fs::read(repo.path().join("answer.txt")).unwrap(),
        b"mine\n"
    );

    repo.remove("answer.txt").checkout("HEAD^{commit}");
    let refused = stage.promote(&[]);
    refused.expect_refusal("target_detached", &["--into"]);
    stage
        .promote(&["--into", "nowhere"])
        .expect_refusal("target_missing", &["nowhere"]);
    stage
        .promote(&["--branch", "main"])
        .expect_refusal("branch_exists", &["main"]);
    stage
        .promote(&["--branch", "a..b"])
        .expect_refusal("branch_name", &["a..b"]);
    stage.is_untouched(&stage.base);
}

#[test]
fn a_second_promotion_changes_nothing_and_lands_nowhere_else() {
    let stage = Stage::new();
    let first = stage.promoted(&["--branch", "fix"]);
    let statements = stage.statements();
    assert_eq!(statements.len(), 1);
    for args in [&[][..], &["--branch", "fix"]] {
        let again = stage.promoted(args);
        assert_eq!(again["landed"], first["landed"]);
        assert_eq!(again["was_landed"], true);
    }
    for args in [
        &["--branch", "other"][..],
        &["--into", "main"],
        &["--merge"],
    ] {
        let refused = stage.promote(args);
        refused.expect_refusal("already_landed", &["fix", "git merge fix"]);
    }
    let refused = stage.case.dogwatch(&["reject", stage.run_id(), "--json"]);
    refused.expect_refusal("already_landed", &[]);
    assert_eq!(stage.statements(), statements);
    stage.has_landed("refs/heads/fix");
    assert_eq!(stage.case.repo.head(), stage.base);
}

#[test]
fn it_lands_in_the_checkout_of_its_project_wherever_it_is_given() {
    let stage = Stage::new();
    let mut command = stage.case.command(["promote", stage.run_id(), "--json"]);
    command.current_dir(stage.case.home.root());
    let said = super::stage::said(&stage.case.start(command).wait());
    let worktree = stage.case.repo.path().to_string_lossy().into_owned();
    assert_eq!(said["worktree"], worktree.as_str());
    stage.has_landed("refs/heads/main");
}

#[test]
fn only_a_success_lands() {
    let stage = Stage::new();
    stage
        .case
        .script(json!([{"respond": {"status": "failed", "summary": "no"}}]));
    let failed = stage.case.run().result();
    let run = failed["run_id"].as_str().expect("a run");
    let refused = stage.case.dogwatch(&["promote", run, "--json"]);
    refused.expect_refusal("not_promotable", &["dogwatch restore"]);
    assert_eq!(stage.case.repo.head(), stage.base);
}

#[test]
fn the_agents_own_commits_land_where_they_were_kept() {
    let stage = Stage::new();
    // As the runner keeps them: in the vault, leading from base to T.
    let header = stage.header();
    let tree = header["closed"]["tree"].as_str().expect("a tree");
    let vaults = stage.case.home.data().join("vaults");
    let vault = std::fs::read_dir(vaults)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let in_vault = |args: &[&str]| {
        let git_dir = format!("--git-dir={}", vault.display());
        let args: Vec<&str> = std::iter::once(&*git_dir)
            .chain(args.iter().copied())
            .collect();
        stage.case.repo.git(args).text()
    };
    let first = in_vault(&[
        "commit-tree",
        &format!("{}^{{tree}}", stage.base),
        "-p",
        &stage.base,
        "-m",
        "first step",
    ]);
    let second = in_vault(&[
        "commit-tree",
        tree,
        "-p",
        &first,
        "-m",
        "second step\n\nDogwatch-Run: forged",
    ]);
    let name = format!("refs/dogwatch/runs/{}/history", stage.run_id());
    in_vault(&["update-ref", &name, &second]);
    stage.promoted(&[]);
    stage.has_landed("refs/heads/main");
    let repo = &stage.case.repo;
    assert_eq!(
        repo.git(["log", "--format=%s", "-2"]).text(),
        "second step\nfirst step"
    );
    let message = repo.git(["log", "-1", "--format=%B"]).text();
    assert!(!message.contains("forged"), "{message}");
}

/// Killed while the files are being written: the same run's promotion finishes it, and no other run's comes between.
#[test]
fn half_written_files_are_finished_by_the_same_run_only() {
    let repo = Repo::init();
    repo.write(".gitattributes", "*.slow filter=slow\n")
        .write("notes.txt", "first\n")
        .write(".gitignore", "*.log\n")
        .commit("start");
    let case = Case::in_repo(
        repo,
        json!([{"actions": [
            {"write": {"path": "a.slow", "content": "slow\n"}},
            {"write": {"path": "answer.txt", "content": "42\n"}},
            {"append": {"path": "notes.txt", "content": "by the agent\n"}},
        ]}]),
    );
    let other = case.expect_success(&case.run());
    let finished = case.expect_success(&case.run());
    let stage = Stage::of_run(case, finished);
    // The user's own filter runs when the user's own files are written, and this one waits.
    let (arrived, go) = (stage.case.meeting("arrived"), stage.case.meeting("go"));
    let smudge = format!(
        "touch '{}'; until test -e '{}'; do sleep 0.01; done; cat",
        arrived.display(),
        go.display()
    );
    let repo = &stage.case.repo;
    repo.git(["config", "filter.slow.smudge", &smudge])
        .expect_success();
    let promote = stage.case.command(["promote", stage.run_id(), "--json"]);
    let running = stage.case.start(promote);
    running.wait_for_file(&arrived);
    drop(running);
    std::fs::write(&go, "").unwrap();
    assert_eq!(repo.head(), stage.base, "the branch moves last");

    let other = other.result["run_id"].as_str().expect("a run");
    let refused = stage.case.dogwatch(&["promote", other, "--json"]);
    refused.expect_refusal("landing_interrupted", &[stage.run_id()]);
    // As after a power cut, git may have left its locks on the branch, which only a person can tell from some that are in use.
    for name in ["refs/heads/main.lock", "HEAD.lock"] {
        let lock = repo.path().join(".git").join(name);
        if lock.exists() {
            stage
                .promote(&[])
                .expect_refusal("target_raced", &[name, "remove it first"]);
            std::fs::remove_file(&lock).unwrap();
        }
    }
    let said = stage.promoted(&[]);
    assert_eq!(said["landed"]["how"], "fast_forward");
    stage.has_landed("refs/heads/main");
    assert_eq!(repo.status(), "");
    let slow = std::fs::read(repo.path().join("a.slow")).unwrap();
    assert_eq!(slow, b"slow\n");
}
