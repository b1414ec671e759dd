//! Agents that go silent, or take too long.

use serde_json::{Value, json};

use crate::support::Case;

fn made() -> Value {
    json!({"write": {"path": "made.txt", "content": "made\n"}})
}

fn stalls() -> Value {
    json!({"actions": [{"print": {"text": "thinking"}}, {"sleep_ms": 600_000}]})
}

#[test]
fn a_silent_agent_is_started_again_with_a_hint() {
    let case = Case::new(json!([
        {"actions": [
            {"write": {"path": "half.txt", "content": "half\n"}},
            {"sleep_ms": 600_000},
        ]},
        {"actions": ["expect_hint", made()]},
    ]));
    let ended =
        case.run_contract(json!({"limits": {"stall_window_ms": 1500, "initial_backoff_ms": 1}}));
    let finished = case.expect_success(&ended);
    assert_eq!(finished.turn(1)["status"], "stalled");
    assert_eq!(finished.turn(1)["failure"]["code"], "stalled");
    assert_eq!(finished.turn(2)["status"], "completed");
    let stalls = finished.facts("run.stalled.v1");
    assert_eq!(stalls.len(), 1);
    assert_eq!(stalls[0]["turn"], 1);
    assert_eq!(stalls[0]["consecutive"], 1);
    assert_eq!(stalls[0]["backoff_ms"], 1);
    // It went on where it was.
    assert_eq!(finished.files(), "A\thalf.txt\nA\tmade.txt\n");
    let request = std::fs::read(finished.bundle.turn(2).request()).unwrap();
    let request: Value = serde_json::from_slice(&request).unwrap();
    let hint = request["hint"].as_str().unwrap();
    assert!(
        hint.contains("turn 1") && hint.contains("do not restart from scratch"),
        "{hint}"
    );
}

#[test]
fn the_hint_is_given_once() {
    let case = Case::new(json!([
        stalls(),
        {"actions": ["expect_hint"], "respond": {"status": "continue", "summary": "back"}},
        {"actions": ["expect_hint"]},
    ]));
    let ended =
        case.run_contract(json!({"limits": {"stall_window_ms": 1500, "initial_backoff_ms": 1}}));
    let finished = case.expect(&ended, 1, "failed", "agent_failed");
    assert_eq!(finished.result["turns"], 3);
    assert!(
        finished.reason().contains("expect_hint"),
        "{}",
        finished.reason()
    );
}

#[test]
fn an_agent_that_stays_silent_is_given_up() {
    let case = Case::new(json!([stalls(), stalls(), stalls(), stalls()]));
    let ended = case.run_contract(json!({"limits": {
        "stall_window_ms": 300, "initial_backoff_ms": 1, "max_stall_restarts": 2,
    }}));
    let finished = case.expect(&ended, 3, "blocked", "stall_restart_exhausted");
    assert_eq!(finished.result["job_status"], "blocked");
    assert_eq!(finished.result["turns"], 3);
    assert!(
        finished.reason().contains("silent 3 times in a row"),
        "{}",
        finished.reason()
    );
    let stalls = finished.facts("run.stalled.v1");
    let consecutive: Vec<_> = stalls
        .iter()
        .map(|stall| stall["consecutive"].as_u64())
        .collect();
    assert_eq!(consecutive, [Some(1), Some(2)]);
    // And taken up again by a person.
    case.script(json!([{"actions": [made()]}]));
    case.expect_success(&case.dogwatch(&["jobs", "retry", "--json", finished.job()]));
}

#[test]
fn every_word_is_progress() {
    let chatty = json!([{"actions": [
        {"print": {"text": "1"}}, {"sleep_ms": 800}, {"print": {"text": "2"}}, {"sleep_ms": 400},
        {"print": {"text": "3"}}, {"sleep_ms": 800}, {"print": {"text": "4"}}, made(),
    ]}]);
    let case = Case::new(chatty);
    let ended = case.run_contract(json!({"limits": {"stall_window_ms": 2000}}));
    let finished = case.expect_success(&ended);
    assert!(finished.facts("run.stalled.v1").is_empty());
}

#[test]
fn a_turn_that_takes_too_long() {
    let case = Case::of_command(&[
        "sh",
        "-c",
        "echo made > made.txt; while :; do echo busy; sleep 0.1; done",
    ]);
    let ended =
        case.run_contract(json!({"limits": {"turn_budget_ms": 1000, "stall_window_ms": 900}}));
    let finished = case.expect(&ended, 1, "failed", "turn_budget");
    assert_eq!(finished.turn(1)["status"], "timed_out");
    assert_eq!(finished.result["failure"]["class"], "limit");
    assert!(
        finished.reason().contains("budget of 1000 ms"),
        "{}",
        finished.reason()
    );
    assert!(finished.patch().contains("+made"));
}

#[test]
fn a_run_that_takes_too_long() {
    let case = Case::of_command(&["sh", "-c", "while :; do echo busy; sleep 0.1; done"]);
    let ended = case.run_contract(json!({"limits": {"wall_ms": 1000}}));
    let finished = case.expect(&ended, 1, "timed_out", "wall_clock");
    assert_eq!(finished.result["job_status"], "timed_out");
    assert!(
        finished.reason().contains("longer than its 1000 ms"),
        "{}",
        finished.reason()
    );
}

#[test]
fn the_wall_clock_also_runs_between_turns() {
    let turn = json!({
        "actions": [{"print": {"text": "step"}}, {"sleep_ms": 900}],
        "respond": {"status": "continue", "summary": "more"},
    });
    let case = Case::new(json!([turn, turn, turn, turn, turn, turn]));
    let ended = case.run_contract(json!({"limits": {"wall_ms": 2000}}));
    let finished = case.expect(&ended, 1, "timed_out", "wall_clock");
    let turns = finished.result["turns"].as_u64().unwrap();
    assert!((1..=3).contains(&turns), "{turns}");
}
