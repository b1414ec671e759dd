//! What agents answer. A response is a file that untrusted code made.

use std::fs;

use serde_json::{Value, json};

use crate::support::Case;

#[track_caller]
fn refused_response(actions: Value, respond: Value, reason: &str) {
    let case = Case::new(json!([{"actions": actions, "respond": respond}]));
    let finished = case.expect(&case.run(), 1, "failed", "response_malformed");
    assert!(finished.reason().contains(reason), "{}", finished.reason());
    assert_eq!(finished.turn(1)["status"], "failed");
    // Whatever it did is kept all the same.
    assert_eq!(finished.facts("snapshot.taken.v1").len(), 1);
}

fn shell(command: &str) -> Value {
    json!([{"shell": {"command": command}}])
}

#[test]
fn a_response_that_is_not_json() {
    refused_response(
        json!([]),
        json!({"raw": "{\"status\": \"done\""}),
        "is not valid",
    );
    refused_response(json!([]), json!({"raw": ""}), "is not valid");
    refused_response(json!([]), json!({"raw": "done"}), "is not valid");
}

#[test]
fn a_response_with_unknown_fields_or_statuses() {
    refused_response(
        json!([]),
        json!({"raw": "{\"status\": \"finished\"}"}),
        "finished",
    );
    refused_response(
        json!([]),
        json!({"raw": "{\"status\": \"done\", \"sumary\": \"\"}"}),
        "sumary",
    );
}

#[test]
fn a_malformed_response_is_kept_as_evidence() {
    let case = Case::new(json!([{"respond": {"raw": "not JSON"}}]));
    let finished = case.expect(&case.run(), 1, "failed", "response_malformed");
    assert_eq!(
        fs::read(finished.bundle.turn(1).response()).unwrap(),
        b"not JSON"
    );
}

#[test]
fn a_response_that_is_too_large() {
    let case = Case::new(json!([{
        "actions": [{"shell": {"command": "head -c 5000 /dev/zero > \"$DOGWATCH_RESPONSE_FILE\""}}],
        "respond": "none",
    }]));
    let ended = case.run_contract(json!({"limits": {"response_bytes": 2048}}));
    let finished = case.expect(&ended, 1, "failed", "response_malformed");
    assert!(
        finished
            .reason()
            .contains("larger than response_bytes=2048"),
        "{}",
        finished.reason()
    );
}

#[test]
fn a_response_that_is_no_regular_file() {
    for (make, reason) in [
        ("mkfifo \"$DOGWATCH_RESPONSE_FILE\"", "not a regular file"),
        ("mkdir \"$DOGWATCH_RESPONSE_FILE\"", "not a regular file"),
        (
            "ln -s /etc/passwd \"$DOGWATCH_RESPONSE_FILE\"",
            "cannot be opened",
        ),
        (
            "ln -s /dev/zero \"$DOGWATCH_RESPONSE_FILE\"",
            "cannot be opened",
        ),
    ] {
        refused_response(shell(make), json!("none"), reason);
    }
}

#[test]
fn a_response_in_a_directory_that_is_gone_counts_as_none() {
    let case = Case::new(json!([{
        "actions": [
            {"write": {"path": "made.txt", "content": "made\n"}},
            {"shell": {"command": "rm -r \"$(dirname \"$DOGWATCH_RESPONSE_FILE\")\""}},
        ],
        "respond": "none",
    }]));
    let finished = case.expect_success(&case.run());
    assert_eq!(finished.turn(1)["response_status"], "done");
}
