//! Requests, turns and responses.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::rehearsal::{Rehearsal, request, script};

#[test]
fn each_turn_plays_its_entry() {
    let stage = Rehearsal::new();
    let mut script = json!({"version": 1, "turns": [
        {"actions": [{"touch": {"path": "one"}}], "respond": {"status": "continue", "summary": "half", "next_task": "the rest"}},
        {"actions": [{"touch": {"path": "two"}}, {"touch": {"path": "three"}}]},
    ]});
    let first = stage.play_turn(&script, 1);
    assert_eq!(
        first.response(),
        json!({"status": "continue", "summary": "half", "next_task": "the rest"})
    );
    assert!(stage.path("one").exists() && !stage.path("two").exists());

    let second = stage.play_turn(&script, 2);
    assert_eq!(
        second.response(),
        json!({"status": "done", "summary": "turn 2 of the script, 2 actions"})
    );

    let beyond = stage.play_turn(&script, 3);
    assert_eq!(beyond.code, Some(0));
    assert_eq!(
        beyond.response(),
        json!({"status": "failed", "summary": "the script ends after turn 2, and this is turn 3"})
    );

    script["repeat_last"] = Value::Bool(true);
    assert_eq!(
        stage.play_turn(&script, 3).response()["summary"],
        "turn 3 of the script, 2 actions"
    );
}

#[test]
fn a_response_can_be_malformed_or_missing() {
    let stage = Rehearsal::new();
    let turn = |respond: Value| json!({"version": 1, "turns": [{"respond": respond}]});
    assert_eq!(
        stage.play_turn(&turn(json!("none")), 1).response.as_deref(),
        None
    );
    assert_eq!(
        stage
            .play_turn(&turn(json!({"raw": "{\"status\": "})), 1)
            .response
            .as_deref(),
        Some("{\"status\": ")
    );
}

#[test]
fn feedback_of_a_gate_can_be_demanded() {
    let stage = Rehearsal::new();
    let expecting = |expect: Value| script(json!([expect])).to_string();
    let mut told = request(2);
    told["turn"] = json!(1);
    told["failed_gates"] = json!([{"gate": "tests", "code": "exit_code", "reason": "it exited with 1", "command": "sh t", "output": "FAIL  b\n"}]);

    let named = expecting(json!({"expect_failed_gate": {"name": "tests"}}));
    let played = stage.play_request(&named, &told);
    assert_eq!(played.code, Some(0), "{played:?}");
    assert_eq!(played.stdout(), "read what the gate tests said\n");

    let missing = stage.play_request(&named, &request(1));
    assert_eq!(missing.code, Some(90));
    assert!(
        missing
            .stderr()
            .contains("expected the request to tell of the failed gate `tests`; it tells of []"),
        "{missing:?}"
    );
    assert_eq!(missing.response()["status"], "failed");

    let quoted = |text: &str| {
        expecting(json!({"expect_failed_gate": {"name": "tests", "output_contains": text}}))
    };
    assert_eq!(stage.play_request(&quoted("FAIL  b"), &told).code, Some(0));
    let other = stage.play_request(&quoted("FAIL  c"), &told);
    assert_eq!(other.code, Some(90));
    assert!(other.stderr().contains("it is \"FAIL  b\\n\""), "{other:?}");
}

#[test]
fn a_hint_can_be_demanded() {
    let stage = Rehearsal::new();
    let script = script(json!(["expect_hint"])).to_string();
    let mut hinted = request(1);
    for (hint, code) in [
        (json!("You stalled. Go on where you were."), 0),
        (json!(" "), 90),
        (json!(null), 90),
    ] {
        hinted["hint"] = hint;
        assert_eq!(
            stage.play_request(&script, &hinted).code,
            Some(code),
            "{hinted}"
        );
    }
}

#[test]
fn without_a_script_or_a_request_nothing_is_played() {
    let stage = Rehearsal::new();
    let good = script(json!([{"touch": {"path": "played"}}])).to_string();
    let mut wrong_version = request(1);
    wrong_version["version"] = json!(2);
    type Change = fn(&mut Command);
    let cases: [(&str, &Value, Change, &str); 6] = [
        (
            "{",
            &request(1),
            |_| {},
            "script.json is refused: not a script: EOF",
        ),
        (
            &good,
            &json!({"version": 1}),
            |_| {},
            "request.json is not a request: missing field `turn`",
        ),
        (&good, &wrong_version, |_| {}, "the request has version 2"),
        (
            &good,
            &request(1),
            |agent| {
                agent.env_remove("DOGWATCH_REQUEST_FILE");
            },
            "DOGWATCH_REQUEST_FILE is not set",
        ),
        (
            &good,
            &request(1),
            |agent| {
                agent.env("DOGWATCH_RESPONSE_FILE", "");
            },
            "DOGWATCH_RESPONSE_FILE is not set",
        ),
        (
            &good,
            &request(1),
            |agent| {
                agent.arg("--more");
            },
            "usage: dogwatch __scripted-agent --script FILE",
        ),
    ];
    for (script, request, change, reason) in cases {
        let mut agent = stage.agent(script, request);
        change(&mut agent);
        let played = stage.played(agent.output().unwrap());
        assert_eq!(played.code, Some(92), "{reason}");
        assert!(played.stderr().contains(reason), "{played:?}");
        assert_eq!(played.response, None);
        assert!(!stage.path("played").exists());
    }
}

#[test]
fn a_script_may_lie_in_the_workspace() {
    let stage = Rehearsal::new();
    fs::write(
        stage.path("in workspace.json"),
        script(json!([{"touch": {"path": "played"}}])).to_string(),
    )
    .unwrap();
    stage.agent("", &request(1));
    let status = Command::new(env!("CARGO_BIN_EXE_scripted-agent"))
        .arg("--script=in workspace.json")
        .current_dir(stage.path(""))
        .env("DOGWATCH_REQUEST_FILE", stage.exchange("request.json"))
        .env("DOGWATCH_RESPONSE_FILE", stage.exchange("response.json"))
        .status()
        .unwrap();
    assert!(status.success());
    assert!(stage.path("played").exists());
}

#[test]
fn a_response_that_cannot_be_written_is_an_error() {
    let stage = Rehearsal::new();
    let mut agent = stage.agent(&script(json!([])).to_string(), &request(1));
    agent.env("DOGWATCH_RESPONSE_FILE", stage.exchange("no/such/file"));
    let played = stage.played(agent.output().unwrap());
    assert_eq!(played.code, Some(92));
    assert!(played.stderr().contains("cannot write the response"));
}
