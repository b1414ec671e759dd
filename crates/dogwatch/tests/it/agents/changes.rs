//! Changes that the contract does not allow.

use std::fs;

use serde_json::{Value, json};

use crate::support::Case;

fn write(path: &str) -> Value {
    json!({"write": {"path": path, "content": "text\n"}})
}

#[test]
fn a_path_outside_the_allowed_ones_is_fed_back_and_mended() {
    let case = Case::new(json!([
        {"actions": [write("src/a.txt"), write("elsewhere/b.txt")]},
        {"actions": [
            {"expect_failed_gate": {"name": "diff_scope", "output_contains": "elsewhere/b.txt (not in allowed_paths)"}},
            {"remove": {"path": "elsewhere"}},
        ]},
    ]));
    let ended = case.run_contract(json!({
        "allowed_paths": ["src/**"],
        "acceptance": [{"name": "tests", "run": "test -e src/a.txt"}],
    }));
    let finished = case.expect_success(&ended);
    assert_eq!(
        finished.gate("diff_scope"),
        [("failed", "path_not_allowed"), ("passed", "passed")]
    );
    // What is out of bounds is not worth testing.
    assert_eq!(finished.gate("tests"), [("passed", "passed")]);
    assert_eq!(finished.files(), "A\tsrc/a.txt\n");
    let prompt = fs::read_to_string(finished.bundle.turn(2).prompt()).unwrap();
    assert!(prompt.contains("elsewhere/b.txt"), "{prompt}");
}

#[test]
fn forbidden_wins_over_allowed() {
    let case = Case::new(json!([{"actions": [write("src/a.txt"), write("src/secret/b.txt")]}]));
    let ended = case.run_contract(json!({
        "allowed_paths": ["src/**"],
        "forbidden_paths": ["src/secret/**"],
        "limits": {"max_turns": 1},
    }));
    let finished = case.expect(&ended, 1, "failed", "path_forbidden");
    assert_eq!(finished.result["failure"]["class"], "gate");
    assert!(
        finished.reason().contains("1 path(s) may not change"),
        "{}",
        finished.reason()
    );
}

#[test]
fn a_rename_counts_both_names() {
    let case = Case::new(
        json!([{"actions": [{"shell": {"command": "mkdir src && mv README.md src/README.md"}}]}]),
    );
    let ended = case.run_contract(json!({"allowed_paths": ["src/**"], "limits": {"max_turns": 1}}));
    let finished = case.expect(&ended, 1, "failed", "path_not_allowed");
    assert_eq!(finished.files(), "D\tREADME.md\nA\tsrc/README.md\n");
}

#[test]
fn a_change_of_mode_is_a_change() {
    let case = Case::new(json!([{"actions": [{"shell": {"command": "chmod +x README.md"}}]}]));
    let finished = case.expect_success(&case.run());
    assert_eq!(finished.files(), "M\tREADME.md\n");
    assert!(
        finished.patch().contains("new mode 100755"),
        "{}",
        finished.patch()
    );
}

#[test]
fn the_rules_are_those_of_the_base_whatever_the_agent_writes() {
    let case = Case::new(json!([{"actions": [
        {"write": {"path": "dogwatch.toml", "content": ""}},
        write("made.txt"),
    ]}]));
    case.repo
        .write(
            "dogwatch.toml",
            "[[acceptance]]\nname = \"tests\"\nrun = \"test -e never.txt\"\n",
        )
        .commit("configure");
    let ended = case.run_contract(json!({"limits": {"max_turns": 1}}));
    let finished = case.expect(&ended, 1, "failed", "gate_failed");
    assert_eq!(finished.gate("tests"), [("failed", "gate_failed")]);
}
