//! What a contained run has and is refused: its level, its control channel, its payload, its earlier turns.

use std::fs;

use dogwatch_testkit::skip;
use serde_json::json;

use super::kind::{Kind, repo, shell};
use crate::support::Case;

#[test]
fn what_cannot_be_contained_as_required_is_not_started() {
    if !nix::unistd::geteuid().is_root() {
        skip(
            "contained::what_cannot_be_contained_as_required_is_not_started",
            "for an ordinary user nothing is missing",
        );
        return;
    }
    let case = Case::new(json!([]));
    let marker = case.meeting("started");
    case.script(json!([{"actions": [{"touch": {"path": marker}}]}]));
    let ended = case.run_contract(json!({"containment": "full"}));
    let finished = case.expect(&ended, 3, "blocked", "containment_missing");
    assert!(finished.reason().contains("root"), "{}", finished.reason());
    assert_eq!(finished.result["turns"], 0);
    assert_eq!(finished.result["job_status"], "blocked");
    assert!(!marker.exists());
}

#[test]
fn the_control_channel_serves_the_run_and_nothing_else() {
    for kind in [Kind::Same, Kind::Given, Kind::Ordinary] {
        control_channel(kind);
    }
}

fn control_channel(kind: Kind) {
    let Some(case) = kind.case("control_channel", repo()) else {
        return;
    };
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
    let finished = case.expect_success(&case.run_contract(kind.contract(json!({}))));
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
fn work_goes_on_from_turn_to_turn_for_whoever_owns_it() {
    work_goes_on(Kind::Same);
}

#[test]
fn work_goes_on_from_turn_to_turn_for_root_on_the_repository_of_another_user() {
    work_goes_on(Kind::Given);
}

#[test]
fn work_goes_on_from_turn_to_turn_for_an_ordinary_user() {
    work_goes_on(Kind::Ordinary);
}

/// Two turns see each other's files; what git ignores comes along where the project says so, and is not in the result.
fn work_goes_on(kind: Kind) {
    let Some(case) = kind.case("work_goes_on", repo()) else {
        return;
    };
    case.script(json!([
        {"actions": [shell("id -u > who.txt; cat settings/warm.cache > seen.txt; test ! -e settings/cold.cache; echo hotter > settings/warm.cache; rm gone.txt; mkdir -p sub/deep; echo one > sub/deep/one.txt; echo warm > state.cache; git status --short >> seen.txt; git checkout -q -b side; echo two > two.txt; git add two.txt; git -c user.name=a -c user.email=a@b commit -qm two; rm \"$(mktemp)\" && echo kept > \"$HOME/of-the-agent\"")],
         "respond": {"status": "continue", "summary": "half"}},
        {"actions": [shell("test -f state.cache && test ! -e gone.txt && test \"$(git log --format=%s -1)\" = two && test \"$(cat settings/warm.cache)\" = hotter && git log --all -p > /dev/null && echo there > three.txt")],
         "respond": {"status": "done", "summary": "whole"}},
    ]));
    let gate = "test -w \"$HOME\" && test ! -e \"$HOME/of-the-agent\" && rm \"$(mktemp)\" && test -f three.txt && test ! -e settings && git status --short && echo ok > made-by-gate";
    let ended =
        case.run_contract(kind.contract(json!({"acceptance": [{"name": "whole", "run": gate}]})));
    let finished = case.expect_success(&ended);
    kind.assert_held(&finished);
    assert_eq!(
        finished.files(),
        "D\tgone.txt\nA\tseen.txt\nA\tsub/deep/one.txt\nA\tthree.txt\nA\ttwo.txt\nA\twho.txt\n"
    );
    let patch = finished.patch();
    assert!(patch.contains(&format!("\n+{}\n", kind.agent())), "{patch}");
    assert!(patch.contains("\n+warm\n"), "{patch}");
    assert!(!patch.contains("hotter"), "{patch}");
    assert_eq!(finished.result["turns"], 2);
    assert_eq!(finished.gate("whole").last(), Some(&("passed", "passed")));
    let warm = case.repo.path().join("settings/warm.cache");
    assert_eq!(fs::read_to_string(warm).unwrap(), "warm\n");
}

#[test]
fn the_agents_own_commits_come_along_if_they_lead_to_the_result() {
    for kind in [Kind::Same, Kind::Given, Kind::Ordinary] {
        own_commits(kind);
    }
}

fn own_commits(kind: Kind) {
    let commit = "git add -A && git -c user.name=Ana -c user.email=ana@example.com commit -qm";
    for (rest, code) in [
        ("true", "history_kept"),
        ("echo more > more.txt", "history_left"),
    ] {
        let Some(case) = kind.case("own_commits", repo()) else {
            return;
        };
        case.script(json!([{"actions": [
            shell(&format!("echo one > one.txt && {commit} one")),
            shell(&format!("echo two > two.txt && {commit} two")),
            shell(rest),
        ]}]));
        let finished = case.expect_success(&case.run_contract(kind.contract(json!({}))));
        let note = finished.note(code);
        assert_eq!(
            code == "history_kept",
            note.contains("2 commit(s)"),
            "{note}"
        );
    }
}
