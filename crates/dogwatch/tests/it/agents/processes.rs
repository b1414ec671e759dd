//! Agents that leave processes behind, or will not go. That nothing of a run is alive afterwards is checked for every run; here are
//! those that try to stay.

use serde_json::json;

use crate::support::Case;

#[test]
fn daemons_do_not_outlive_the_turn() {
    let case = Case::new(json!([]));
    let here = case.meeting("here");
    case.script(json!([{"actions": [
        {"spawn_daemon": {"command": format!("touch '{}'; exec sleep 600", here.display())}},
        {"wait_for_file": {"path": here, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let finished = case.expect_success(&case.run());
    assert!(
        finished.turn(1)["leftovers"].as_u64().unwrap() >= 1,
        "{}",
        finished.turn(1)
    );
}

#[test]
fn daemons_that_ignore_the_request_to_end_are_killed() {
    let case = Case::new(json!([]));
    let here = case.meeting("here");
    let daemon = format!(
        "trap '' TERM HUP INT; touch '{}'; while :; do sleep 600; done",
        here.display()
    );
    case.script(json!([{"actions": [
        {"spawn_daemon": {"command": daemon}},
        {"wait_for_file": {"path": here, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let ended = case.run_contract(json!({"limits": {"kill_grace_ms": 200}}));
    case.expect_success(&ended);
}

#[test]
fn a_daemon_that_hides_its_environment_is_found_too() {
    let case = Case::new(json!([]));
    let here = case.meeting("here");
    // A shell that no variable gives away and whose parent is gone; its name does.
    let daemon = format!(
        "exec env -i sh -c 'touch \"{}\"; while :; do sleep 1; done' {}",
        here.display(),
        here.display()
    );
    case.script(json!([{"actions": [
        {"spawn_daemon": {"command": daemon}},
        {"wait_for_file": {"path": here, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    case.expect_success(&case.run());
    let name = here.to_string_lossy().into_owned();
    let alive = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(&name))
        .count();
    assert_eq!(alive, 0);
}

#[test]
fn a_silent_agent_that_ignores_the_request_to_end_is_killed() {
    let case = Case::new(json!([
        {"actions": ["ignore_sigterm", {"print": {"text": "you cannot stop me"}}, {"sleep_ms": 600_000}]},
        {"actions": ["expect_hint", {"write": {"path": "made.txt", "content": "made\n"}}]},
    ]));
    let ended = case.run_contract(json!({"limits": {
        "stall_window_ms": 1500, "initial_backoff_ms": 1, "kill_grace_ms": 200,
    }}));
    let finished = case.expect_success(&ended);
    assert_eq!(finished.turn(1)["status"], "stalled");
}

#[test]
fn a_gate_leaves_nothing_behind_either() {
    let case =
        Case::new(json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}]));
    let ended = case.run_contract(json!({
        "acceptance": [{"name": "tests", "run": "setsid sleep 600 > /dev/null 2>&1 & exit 0"}],
    }));
    let finished = case.expect_success(&ended);
    let result = std::fs::read(finished.bundle.gate("tests").result()).unwrap();
    let result: serde_json::Value = serde_json::from_slice(&result).unwrap();
    assert!(result["duration_ms"].as_u64().unwrap() < 60_000, "{result}");
}
