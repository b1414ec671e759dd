//! The repository.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;

use dogwatch_testkit::Repo;
use serde_json::json;

use super::{case, good_turns, refused, task_refused};
use crate::support::Case;

#[test]
fn a_directory_that_is_no_repository() {
    let case = case();
    let mut command = case.command(["run", "do it"]);
    command.current_dir(case.home.root().join("home"));
    let ended = case.start(command).wait();
    refused(
        &case,
        &ended,
        "not_a_repository",
        &["find a git repository at", "git init"],
    );
}

#[test]
fn a_directory_that_is_not_there() {
    let case = case();
    let ended = case.dogwatch(&["-C", "/nonexistent/place", "run", "do it"]);
    refused(
        &case,
        &ended,
        "directory_missing",
        &["/nonexistent/place", "no such directory"],
    );
}

#[test]
fn a_bare_repository() {
    let case = case();
    case.repo
        .git(["config", "core.bare", "true"])
        .expect_success();
    fs::remove_file(case.repo.path().join("README.md")).unwrap();
    task_refused(&case, "bare_repository", &["it is a bare repository"]);
}

#[test]
fn the_git_directory_itself() {
    let case = case();
    let mut command = case.command(["run", "do it"]);
    command.current_dir(case.repo.path().join(".git"));
    let ended = case.start(command).wait();
    refused(
        &case,
        &ended,
        "inside_git_directory",
        &["inside a `.git` directory"],
    );
}

#[test]
fn an_empty_repository() {
    let case = Case::in_repo(Repo::init(), good_turns());
    task_refused(
        &case,
        "empty_repository",
        &["has no commit yet", "commit something"],
    );
}

#[test]
fn a_base_that_is_not_there_is_answered_with_the_nearest_one() {
    let case = case();
    case.repo.git(["branch", "release"]).expect_success();
    let next = "name a branch, a tag or a commit";
    let ended = case.dogwatch(&["run", "--base", "relaese", "do it"]);
    refused(
        &case,
        &ended,
        "base_ref_not_found",
        &[
            "resolve `relaese` to a commit",
            "did you mean `release`?",
            next,
        ],
    );
    let ended = case.run_contract(json!({"base_ref": "relaese"}));
    refused(&case, &ended, "base_ref_not_found", &["`relaese`", next]);
}

#[test]
fn a_base_that_looks_like_an_option() {
    let case = case();
    let ended = case.dogwatch(&["run", "--base=--all", "do it"]);
    refused(
        &case,
        &ended,
        "base_ref_not_found",
        &["resolve `--all` to a commit"],
    );
}

#[test]
fn a_dirty_tree_is_not_included_and_that_is_said() {
    let case = case();
    case.repo
        .write("README.md", "# Changed\n")
        .write("new.txt", "new\n");
    let before = case.repo.status();
    let ended = case.run();
    let finished = case.expect_success(&ended);
    let head = case.repo.head();
    let note = format!(
        "2 uncommitted path(s) are not included: the run starts from HEAD ({})",
        &head[..12]
    );
    assert!(ended.err.contains(&note), "{ended:?}");
    assert_eq!(finished.files(), "A\tmade.txt\n");
    assert_eq!(case.repo.status(), before);
}

#[test]
fn a_clean_tree_is_not_talked_about() {
    let case = case();
    let ended = case.run();
    case.expect_success(&ended);
    assert!(!ended.err.contains("uncommitted"), "{ended:?}");
    assert!(
        ended.err.contains("no acceptance gate is defined"),
        "{ended:?}"
    );
}

#[track_caller]
fn runs_in_a_directory_named(name: &OsStr) {
    let repo = Repo::builder().name(name).init();
    repo.write("README.md", "# A project\n")
        .write(
            "dogwatch.toml",
            "[[acceptance]]\nname = \"tests\"\nrun = \"test -s made.txt\"\n",
        )
        .commit("start");
    let case = Case::in_repo(repo, good_turns());
    let finished = case.expect_success(&case.run());
    assert_eq!(finished.gate("tests"), [("passed", "passed")]);
    // From elsewhere, by name.
    let mut command = case.command([OsStr::new("-C"), case.repo.path().as_os_str()]);
    command.args(["run", "--json", "do it"]).current_dir("/");
    case.expect_success(&case.start(command).wait());
    // And again without its help: the checkout is found by what was remembered.
    let job = finished.job();
    let again = case.dogwatch(&["jobs", "retry", "--json", job]);
    let again = case.expect_success(&again);
    assert_eq!(again.facts("run.started.v1")[0]["attempt"], 2);
}

#[test]
fn a_path_with_spaces_and_quotes() {
    runs_in_a_directory_named(OsStr::new(" my 'own' \"project\" $HOME "));
}

#[test]
fn a_path_with_a_newline() {
    runs_in_a_directory_named(OsStr::new("two\nlines\n"));
}

#[test]
fn a_path_that_is_not_text() {
    runs_in_a_directory_named(&OsString::from_vec(b"caf\xe9 \xff\xfe".to_vec()));
}
