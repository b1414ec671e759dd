//! Runs with a view of their own: what a hostile agent cannot do, and what it cannot lose.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Case, Finished};

/// Every file below a directory with what makes it what it is.
fn standing(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let facts = fs::symlink_metadata(&path).unwrap();
            let content = if facts.is_dir() {
                open.push(path.clone());
                Vec::new()
            } else if facts.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else if facts.is_file() {
                fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            found.insert(path, (facts.mode(), content));
        }
    }
    found
}

fn contained(mut contract: Value) -> Value {
    contract["containment"] = json!("reduced");
    contract
}

fn shell(script: &str) -> Value {
    json!({"shell": {"command": script}})
}

#[track_caller]
fn level(finished: &Finished) -> &str {
    finished.result["containment"].as_str().unwrap_or_default()
}

#[test]
fn a_hostile_agent_changes_nothing_but_its_workspace() {
    let case = Case::new(json!([]));
    let home = case.home.root().join("home");
    fs::create_dir_all(home.join(".ssh")).unwrap();
    fs::write(home.join(".ssh/id_rsa"), "the-private-key").unwrap();
    fs::write(home.join("notes"), "mine").unwrap();
    let outside = case.home.root().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("host"), "host").unwrap();
    let (data, checkout) = (case.home.data(), case.repo.path().to_owned());
    let attack = format!(
        r#"
        tried() {{ "$@" >/dev/null 2>&1 && echo "$*" >> "$DOGWATCH_WORKSPACE/worked"; }}
        tried sh -c 'echo x > /etc/planted'
        tried sh -c 'echo x > {outside}/host'
        tried sh -c 'echo x >> {checkout}/.git/config'
        tried sh -c 'echo x > {checkout}/planted'
        tried sh -c 'echo x > {checkout}/.git/hooks/post-commit'
        tried cat "$HOME/.ssh/id_rsa"
        tried ls {data}/keys
        tried cat {data}/dogwatch.db
        tried cat {outside}/host
        tried mount -t tmpfs none /mnt
        tried unshare -Ur true
        tried sh -c 'echo x > /proc/sys/kernel/core_pattern'
        tried sh -c 'echo 1 > /sys/kernel/uevent_helper'
        tried kill -9 {pid}
        echo changed > "$HOME/notes"; echo planted > "$HOME/planted"
        echo "$DOGWATCH_CANARY $DOGWATCH_TOKEN"
        printf %s "$DOGWATCH_TOKEN" | base64 -w0; echo
        printf %s "$DOGWATCH_CANARY" > "$DOGWATCH_WORKSPACE/canary"
        echo made > "$DOGWATCH_WORKSPACE/made.txt"
        "#,
        outside = outside.display(),
        checkout = checkout.display(),
        data = data.display(),
        pid = std::process::id(),
    );
    case.script(json!([{"actions": [shell(&attack)]}]));
    let before = (standing(&home), standing(&outside), standing(&checkout));
    let ended = case.run_contract(contained(json!({"acceptance": [{
        "name": "clean",
        "run": "test -f made.txt && test ! -e \"$HOME/planted\" && test ! -e \"$HOME/.ssh/id_rsa\" && ! echo x > /etc/planted",
    }]})));
    let finished = case.expect_success(&ended);
    assert_eq!(level(&finished), "reduced");
    assert_eq!(
        finished.files(),
        "A\tcanary\nA\tmade.txt\n",
        "{}",
        finished.patch()
    );
    assert_eq!(before.0, standing(&home));
    assert_eq!(before.1, standing(&outside));
    // What dogwatch itself keeps in a repository is below `.git/dogwatch`.
    let own = checkout.join(".git/dogwatch");
    let mut after = standing(&checkout);
    after.retain(|path, _| !path.starts_with(&own));
    let mut was = before.2;
    was.retain(|path, _| !path.starts_with(&own));
    assert_eq!(was, after);

    // What the agent was given is in no file that stays.
    let bundle = PathBuf::from(finished.result["bundle"].as_str().unwrap());
    let printed = fs::read_to_string(bundle.join("turns/001/stdout")).unwrap();
    // The scripted agent says what it runs first.
    let marks: Vec<_> = printed
        .lines()
        .filter(|line| line.starts_with("[redacted"))
        .collect();
    assert_eq!(
        marks[0], "[redacted:DOGWATCH_CANARY] [redacted:DOGWATCH_TOKEN]",
        "{printed}"
    );
    assert!(marks[1].contains("[redacted:DOGWATCH_TOKEN]"), "{printed}");
    for (path, (_, content)) in standing(&data) {
        let vault = path.starts_with(data.join("vaults"));
        let shows = |text: &[u8]| content.windows(text.len()).any(|part| part == text);
        assert!(vault || !shows(b"canary-"), "{}", path.display());
        assert!(vault || !shows(b"dwr_run_"), "{}", path.display());
    }
    assert!(
        finished.patch().starts_with("withheld"),
        "{}",
        finished.patch()
    );
    finished.note("secret_in_change");
}

#[test]
fn what_cannot_be_contained_as_required_is_not_started() {
    let case = Case::new(json!([]));
    let marker = case.meeting("started");
    case.script(json!([{"actions": [{"touch": {"path": marker}}]}]));
    if !nix::unistd::geteuid().is_root() {
        // For an ordinary user there is nothing here that is missing.
        return;
    }
    let ended = case.run_contract(json!({"containment": "full"}));
    let finished = case.expect(&ended, 3, "blocked", "containment_missing");
    assert!(finished.reason().contains("root"), "{}", finished.reason());
    assert_eq!(finished.result["turns"], 0);
    assert_eq!(finished.result["job_status"], "blocked");
    assert!(!marker.exists());
}

#[test]
fn the_control_channel_serves_the_run_and_nothing_else() {
    let case = Case::new(json!([]));
    let ask = |path: &str, file: &str| {
        format!(
            r#"curl -s -o {file} -w '%{{http_code}}' --unix-socket "${{DOGWATCH_ENDPOINT#unix:}}" -H "Authorization: Bearer $DOGWATCH_TOKEN" "http://localhost{path}" > {file}.code"#
        )
    };
    case.script(json!([{"actions": [
        shell(&ask("/v1/runs/$DOGWATCH_RUN_ID", "own")),
        shell(&ask("/v1/jobs", "jobs")),
        shell(&ask("/v1/tokens", "tokens")),
        shell(&ask("/v1/runs/run_01890a5d-ac96-774b-bcce-b302099a8057", "other")),
    ]}]));
    let finished = case.expect_success(&case.run_contract(contained(json!({}))));
    let patch = finished.patch();
    let code = |file: &str| {
        let head = format!("+++ b/{file}.code");
        let at = patch
            .find(&head)
            .unwrap_or_else(|| panic!("{file}: {patch}"));
        patch[at..]
            .lines()
            .nth(2)
            .unwrap()
            .trim_start_matches('+')
            .to_owned()
    };
    assert_eq!(code("own"), "200", "{patch}");
    assert_eq!(code("jobs"), "404");
    assert_eq!(code("tokens"), "404");
    assert!(
        ["400", "403"].contains(&code("other").as_str()),
        "{}",
        code("other")
    );
}

#[test]
fn work_goes_on_from_turn_to_turn_and_what_is_ignored_comes_along() {
    let case = Case::new(json!([]));
    case.repo.write("gone.txt", "gone\n");
    case.repo.write(".gitignore", "*.cache\n");
    case.repo.commit("more");
    case.script(json!([
        {"actions": [shell("rm gone.txt; mkdir -p sub/deep; echo one > sub/deep/one.txt; echo warm > state.cache; git status --short > seen.txt; git checkout -q -b side; echo two > two.txt; git add two.txt; git -c user.name=a -c user.email=a@b commit -qm two")],
         "respond": {"status": "continue", "summary": "half"}},
        {"actions": [shell("test -f state.cache && test ! -e gone.txt && test \"$(git log --format=%s -1)\" = two && echo there > three.txt")],
         "respond": {"status": "done", "summary": "whole"}},
    ]));
    let finished = case.expect_success(&case.run_contract(contained(json!({}))));
    assert_eq!(
        finished.files(),
        "D\tgone.txt\nA\tseen.txt\nA\tsub/deep/one.txt\nA\tthree.txt\nA\ttwo.txt\n"
    );
    assert_eq!(finished.result["turns"], 2);
    let ready = finished.facts("workspace.ready.v1");
    assert_eq!(ready[0]["method"], "overlay");
}

#[test]
fn the_agents_own_commits_come_along_if_they_lead_to_the_result() {
    let commit = "git add -A && git -c user.name=Ana -c user.email=ana@example.com commit -qm";
    for (rest, code) in [
        ("true", "history_kept"),
        ("echo more > more.txt", "history_left"),
    ] {
        let case = Case::new(json!([{"actions": [
            shell(&format!("echo one > one.txt && {commit} one")),
            shell(&format!("echo two > two.txt && {commit} two")),
            shell(rest),
        ]}]));
        let finished = case.expect_success(&case.run_contract(contained(json!({}))));
        let note = finished.note(code);
        assert_eq!(
            code == "history_kept",
            note.contains("2 commit(s)"),
            "{note}"
        );
    }
}
