//! What this machine works on, without naming it, and what came of a job.

use serde_json::{Value, json};

use crate::support::{Case, Ended};

/// The one document that a command printed.
fn document(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[test]
fn what_this_machine_holds_is_called_off_and_tried_again_without_its_id() {
    let case = Case::new(json!([]));
    for args in [["runner", "cancel"], ["runner", "retry"]] {
        case.dogwatch(&args).expect_refusal("nothing_held", &[]);
    }
    let (here, go) = (case.meeting("here"), case.meeting("go"));
    case.script(json!([{"actions": [
        {"touch": {"path": here}},
        {"wait_for_file": {"path": go, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let running = case.start_contract(json!({}));
    running.wait_for_file(&here);
    let job = document(&case.dogwatch(&["runner", "list", "--json"]));
    let job = job["items"][0]["jobs"][0].as_str().unwrap().to_owned();
    let missing = case.dogwatch(&["jobs", "result", &job]);
    missing.expect_refusal("no_result", &["running"]);

    let cancelled = case.dogwatch(&["runner", "cancel", "--json"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(document(&cancelled)["id"], job.as_str());
    let ended = running.wait();
    case.expect(&ended, 2, "stopped", "cancelled");

    // It holds nothing now, but it is known what it held last.
    case.dogwatch(&["runner", "cancel"])
        .expect_refusal("nothing_held", &["holds no lease"]);
    let before = document(&case.dogwatch(&["jobs", "show", "--json", &job]));
    let lease = before["lease"]["id"].as_str().unwrap();
    std::fs::write(&go, "").unwrap();
    for args in [
        &["runner", "retry", "--json"][..],
        &["runner", "retry", "--json", "--lease-id", lease],
    ] {
        let again = case.expect_success(&case.dogwatch(args));
        let result = document(&case.dogwatch(&["jobs", "result", "--json", again.job()]));
        assert_eq!(result["result_ptr"], format!("res:{}", again.job()));
        assert_eq!(result["status"], "succeeded");
        assert_eq!(result["closed"]["outcome"], "succeeded");
        let shown = case.dogwatch(&["jobs", "show", "--json", again.job()]);
        assert_eq!(document(&shown)["result"], result["result_ptr"]);
    }
}
