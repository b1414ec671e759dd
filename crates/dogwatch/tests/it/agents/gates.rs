//! Gates, whatever they do themselves.

use std::fs;

use serde_json::{Value, json};

use crate::support::Case;

/// An agent that does the same in every turn.
fn case() -> Case {
    let turn = json!({"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]});
    Case::new(json!([turn, turn, turn]))
}

fn gate(run: impl Into<Value>) -> Value {
    json!({"acceptance": [{"name": "tests", "run": run.into()}]})
}

#[test]
fn a_gate_that_takes_too_long_fails_and_is_fed_back() {
    let case = Case::new(json!([
        {"actions": [{"write": {"path": "slow", "content": "600\n"}}]},
        {"actions": [
            {"expect_failed_gate": {"name": "tests", "output_contains": "waiting"}},
            {"write": {"path": "slow", "content": "0\n"}},
        ]},
    ]));
    let ended = case.run_contract(json!({
        "acceptance": [{"name": "tests", "run": "echo waiting; sleep $(cat slow)", "timeout": "2s"}],
    }));
    let finished = case.expect_success(&ended);
    assert_eq!(
        finished.gate("tests"),
        [("failed", "gate_timeout"), ("passed", "passed")]
    );
    // The evidence of both rounds is there.
    let dir = finished.bundle.gate("tests").dir;
    for name in [
        "result.json",
        "round-001.result.json",
        "stdout",
        "round-001.stdout",
    ] {
        assert!(dir.join(name).is_file(), "{name}");
    }
}

#[test]
fn a_gate_that_is_not_there_blocks() {
    for run in [
        json!("no-such-command-anywhere"),
        json!(["no-such-command-anywhere"]),
    ] {
        let case = case();
        let ended = case.run_contract(gate(run));
        let finished = case.expect(&ended, 3, "blocked", "gate_not_runnable");
        assert_eq!(finished.result["failure"]["class"], "gate");
        assert_eq!(finished.result["job_status"], "blocked");
        assert_eq!(finished.result["turns"], 1);
        assert!(
            finished.reason().contains("gate `tests` could not be run"),
            "{}",
            finished.reason()
        );
    }
}

#[test]
fn a_gate_that_need_not_pass_may_fail() {
    let case = case();
    let ended = case.run_contract(json!({"acceptance": [
        {"name": "style", "run": "echo ugly; exit 1", "must_pass": false},
        {"name": "tests", "run": "test -e made.txt"},
    ]}));
    let finished = case.expect_success(&ended);
    assert_eq!(finished.gate("style"), [("failed", "gate_failed")]);
    assert_eq!(finished.gate("tests"), [("passed", "passed")]);
    assert_eq!(finished.result["turns"], 1);
    assert_eq!(finished.result["assurance"], "gates");
}

#[test]
fn only_a_gate_that_has_to_pass_gives_assurance() {
    let case = case();
    let ended = case.run_contract(json!({"acceptance": [
        {"name": "style", "run": "true", "must_pass": false},
    ]}));
    let finished = case.expect_success(&ended);
    assert_eq!(finished.result["assurance"], "none");
}

#[test]
fn a_gate_that_need_not_pass_but_cannot_be_run_blocks() {
    let case = case();
    let ended = case.run_contract(json!({"acceptance": [
        {"name": "style", "run": "no-such-command-anywhere", "must_pass": false},
    ]}));
    case.expect(&ended, 3, "blocked", "gate_not_runnable");
}

#[test]
fn a_gate_that_keeps_failing_ends_the_run() {
    let case = case();
    let ended = case.run_contract(json!({
        "acceptance": [{"name": "tests", "run": "echo no; exit 1"}],
        "limits": {"max_turns": 2},
    }));
    let finished = case.expect(&ended, 1, "failed", "gate_failed");
    assert_eq!(finished.result["failure"]["class"], "gate");
    assert_eq!(
        finished.gate("tests"),
        [("failed", "gate_failed"), ("failed", "gate_failed")]
    );
    assert!(
        finished.reason().contains("no turn of 2 is left"),
        "{}",
        finished.reason()
    );
    assert_eq!(finished.facts("run.started.v1")[0]["attempt"], 1);
}

#[test]
fn a_gate_that_crashes_fails() {
    let case = case();
    let ended = case.run_contract(json!({
        "acceptance": [{"name": "tests", "run": "kill -SEGV $$"}],
        "limits": {"max_turns": 1},
    }));
    case.expect(&ended, 1, "failed", "gate_signal");
}

#[test]
fn a_gate_without_a_shell_gets_its_arguments_as_they_are() {
    let case = case();
    let ended = case.run_contract(gate(json!(["printf", "%s", "$HOME; exit 1"])));
    let finished = case.expect_success(&ended);
    let stdout = fs::read_to_string(finished.bundle.gate("tests").stdout()).unwrap();
    assert_eq!(stdout, "$HOME; exit 1");
}

#[test]
fn a_gate_sees_the_tree_and_not_the_workspace() {
    let case = Case::new(json!([{"actions": [
        {"write": {"path": ".gitignore", "content": "*.log\n"}},
        {"write": {"path": "build.log", "content": "ignored\n"}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let ended = case.run_contract(gate("test -e made.txt && test ! -e build.log"));
    case.expect_success(&ended);
}

#[test]
fn what_a_gate_writes_is_not_part_of_the_result() {
    let case = case();
    let ended = case.run_contract(json!({"acceptance": [
        {"name": "one", "run": "echo by the gate > sneaked.txt && echo changed > made.txt"},
    ]}));
    let finished = case.expect_success(&ended);
    assert_eq!(finished.files(), "A\tmade.txt\n");
    assert!(finished.patch().contains("+made"), "{}", finished.patch());
}

#[test]
fn every_attempt_the_contract_allows_is_made() {
    let case = case();
    let counter = case.meeting("attempts");
    let run = format!(
        "echo x >> '{0}'; test $(wc -l < '{0}') -ge 2",
        counter.display()
    );
    let ended = case.run_contract(json!({
        "acceptance": [{"name": "tests", "run": run}],
        "limits": {"max_turns": 1},
        "retry": {"max_attempts": 2},
    }));
    let finished = case.expect_success(&ended);
    assert_eq!(finished.facts("run.started.v1")[0]["attempt"], 2);
    assert_eq!(fs::read_to_string(&counter).unwrap().lines().count(), 2);
    // The first attempt has its own bundle, and its own lines on the output.
    let started = ended.out.matches("\"run.started.v1\"").count();
    assert_eq!(started, 2, "{ended:?}");
    assert_eq!(
        fs::read_dir(case.home.data().join("runs")).unwrap().count(),
        2
    );
}

#[test]
fn no_attempt_is_made_beyond_those() {
    let case = case();
    let ended = case.run_contract(json!({
        "acceptance": [{"name": "tests", "run": "false"}],
        "limits": {"max_turns": 1},
        "retry": {"max_attempts": 2},
    }));
    let finished = case.expect(&ended, 1, "failed", "gate_failed");
    assert_eq!(finished.facts("run.started.v1")[0]["attempt"], 2);
    assert_eq!(finished.result["job_status"], "failed");
}
