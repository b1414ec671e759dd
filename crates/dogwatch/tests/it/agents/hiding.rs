//! Agents that hide what they did from git. The tree is what dogwatch itself reads.

use std::fs;

use serde_json::json;

use crate::support::{Case, Finished};

/// An agent whose only turn is a line of shell.
#[track_caller]
fn after(command: &str) -> (Case, Finished) {
    let case = Case::new(json!([{"actions": [{"shell": {"command": command}}]}]));
    let finished = case.expect_success(&case.run());
    (case, finished)
}

#[test]
fn assume_unchanged() {
    let (_case, finished) =
        after("git update-index --assume-unchanged README.md && echo changed > README.md");
    assert_eq!(finished.files(), "M\tREADME.md\n");
    assert!(
        finished.patch().contains("+changed"),
        "{}",
        finished.patch()
    );
}

#[test]
fn skip_worktree() {
    let (_case, finished) =
        after("git update-index --skip-worktree README.md && echo changed > README.md");
    assert_eq!(finished.files(), "M\tREADME.md\n");
}

#[test]
fn the_exclude_file() {
    let (_case, finished) =
        after("mkdir -p .git/info && echo '*' > .git/info/exclude && echo new > new.txt");
    assert_eq!(finished.files(), "A\tnew.txt\n");
}

#[test]
fn a_global_exclude_file() {
    let (_case, finished) = after(
        "echo '*' > \"$HOME/ignore\" && git config --local core.excludesFile \"$HOME/ignore\" && echo new > new.txt",
    );
    assert_eq!(finished.files(), "A\tnew.txt\n");
}

#[test]
fn a_filter_that_shows_git_something_else() {
    let (_case, finished) = after(
        "git config --local filter.lie.clean 'git show HEAD:README.md' && mkdir -p .git/info && \
         echo 'README.md filter=lie' > .git/info/attributes && echo changed > README.md",
    );
    assert!(
        finished.patch().contains("+changed"),
        "{}",
        finished.patch()
    );
}

#[test]
fn a_new_ignore_rule_does_not_hide_what_is_in_the_base() {
    let (_case, finished) =
        after("echo '*.md' > .gitignore && echo changed > README.md && echo secret > notes.md");
    // What is ignored is not in the change, and a reviewer hears of the rule that hides it.
    assert_eq!(finished.files(), "A\t.gitignore\nM\tREADME.md\n");
    let note = finished.note("newly_ignored");
    assert!(note.contains("notes.md"), "{note}");
    let snapshot = finished.facts("snapshot.taken.v1")[0];
    assert_eq!(snapshot["ignored"], 1);
}

#[test]
fn deleting_the_git_directory() {
    let (case, finished) = after("rm -rf .git && echo changed > README.md && echo new > new.txt");
    assert_eq!(finished.files(), "M\tREADME.md\nA\tnew.txt\n");
    assert_eq!(case.repo.status(), "");
}

#[test]
fn replacing_the_git_directory_by_a_file() {
    let (_case, finished) =
        after("rm -rf .git && echo 'gitdir: /nonexistent' > .git && echo new > new.txt");
    assert_eq!(finished.files(), "A\tnew.txt\n");
}

#[test]
fn replacing_the_git_directory_by_a_link_elsewhere() {
    let (case, finished) = after("rm -rf .git && ln -s /etc .git && echo new > new.txt");
    assert_eq!(finished.files(), "A\tnew.txt\n");
    assert_eq!(case.repo.status(), "");
}

#[test]
fn starting_the_history_anew() {
    let (_case, finished) = after(
        "rm -rf .git && git init -q . && echo changed > README.md && git add -A && \
         git -c user.name=x -c user.email=x@example.org commit -qm 'nothing to see'",
    );
    assert_eq!(finished.files(), "M\tREADME.md\n");
}

#[test]
fn committing_does_not_make_a_change_disappear() {
    let (_case, finished) = after(
        "echo changed > README.md && git -c user.name=x -c user.email=x@example.org commit -qam change",
    );
    assert_eq!(finished.files(), "M\tREADME.md\n");
}

#[test]
fn a_nested_repository_is_stored_as_plain_files_and_reported() {
    let (_case, finished) = after(
        "git init -q vendor/lib && echo code > vendor/lib/code.txt && cd vendor/lib && git add -A && \
         git -c user.name=x -c user.email=x@example.org commit -qm lib",
    );
    let files = finished.files();
    assert!(files.contains("A\tvendor/lib/code.txt\n"), "{files}");
    assert!(
        files.contains("A\tvendor/lib/dw%%2Egit/config\n"),
        "{files}"
    );
    assert!(!files.contains("/.git/"), "{files}");
    assert!(finished.note("nested_repository").contains("vendor/lib"));
    assert!(
        finished.note("path_escaped").contains("vendor/lib/.git"),
        "{}",
        finished.note("path_escaped")
    );
}

#[test]
fn names_that_are_no_text_are_shown_and_not_written_as_they_are() {
    let (_case, finished) = after(
        "printf new > \"$(printf 'caf\\351')\" && printf new > \"$(printf 'two\\nlines')\" && printf new > \"$(printf 'red\\033[31m')\"",
    );
    let files = finished.files();
    assert_eq!(files.lines().count(), 3, "{files:?}");
    assert!(!files.contains('\u{1b}'), "{files:?}");
    assert_eq!(finished.facts("snapshot.taken.v1")[0]["files"], 4);
}

#[test]
fn what_is_no_file_is_left_out_and_reported() {
    let (_case, finished) = after("mkfifo pipe && echo new > new.txt");
    assert_eq!(finished.files(), "A\tnew.txt\n");
    assert!(finished.note("special_file_skipped").contains("pipe"));
}

#[test]
fn a_link_out_of_the_workspace_is_stored_as_a_link() {
    let (_case, finished) = after("ln -s /etc/passwd link && ln -s / root");
    assert_eq!(finished.files(), "A\tlink\nA\troot\n");
    assert!(
        finished.patch().contains("+/etc/passwd"),
        "{}",
        finished.patch()
    );
    assert!(
        !finished.patch().contains("root:x:"),
        "{}",
        finished.patch()
    );
}

#[test]
fn writing_to_the_users_own_repository_is_put_on_record() {
    for (command, path) in [
        (
            "mkdir -p .git/hooks && echo 'echo mine' > .git/hooks/pre-commit",
            "hooks/pre-commit",
        ),
        ("git checkout -q --detach", "HEAD"),
        ("git branch sneaky", "refs/heads/sneaky"),
        ("git config core.pager 'sh -c evil'", "config"),
    ] {
        let case = Case::new(json!([]));
        let command = format!("cd '{}' && {command}", case.repo.path().display());
        case.script(json!([{"actions": [
            {"write": {"path": "made.txt", "content": "made\n"}},
            {"shell": {"command": command}},
        ]}]));
        let finished = case.expect_success(&case.run());
        let note = finished.note("host_git_changed");
        assert!(note.contains(path), "{path}: {note}");
    }
}

#[test]
fn an_honest_run_leaves_the_users_repository_alone() {
    let (case, finished) =
        after("echo changed > README.md && git status && git log && git diff && git gc -q");
    assert_eq!(
        finished.facts("run.noted.v1"),
        Vec::<&serde_json::Value>::new()
    );
    let readme = fs::read_to_string(case.repo.path().join("README.md")).unwrap();
    assert_eq!(readme, "# A project\n");
    assert_eq!(case.repo.status(), "");
}
