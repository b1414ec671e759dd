//! How agents end, and what they say of it.

use std::fs;

use serde_json::json;

use crate::support::Case;

fn made() -> serde_json::Value {
    json!({"write": {"path": "made.txt", "content": "made\n"}})
}

#[test]
fn an_agent_that_does_nothing_is_told_so_and_fails_in_the_end() {
    let case = Case::of_command(&["true"]);
    let ended = case.run_contract(json!({"limits": {"max_turns": 2}}));
    let finished = case.expect(&ended, 1, "failed", "empty_diff");
    assert_eq!(finished.result["failure"]["class"], "gate");
    assert_eq!(finished.result["job_status"], "failed");
    assert_eq!(finished.result["turns"], 2);
    assert_eq!(
        finished.gate("diff_scope"),
        [("failed", "empty_diff"), ("failed", "empty_diff")]
    );
    let prompt = fs::read_to_string(finished.bundle.turn(2).prompt()).unwrap();
    assert!(prompt.contains("nothing was changed"), "{prompt}");
}

#[test]
fn doing_nothing_is_a_success_where_the_contract_allows_it() {
    let case = Case::of_command(&["true"]);
    let finished = case.expect_success(&case.run_contract(json!({"allow_empty": true})));
    assert_eq!(finished.result["turns"], 1);
    assert_eq!(finished.files(), "");
    assert_eq!(finished.result["assurance"], "none");
}

#[test]
fn an_agent_that_exits_with_a_code() {
    let case = Case::new(json!([{"actions": [made(), {"exit": {"code": 7}}]}]));
    let finished = case.expect(&case.run(), 1, "failed", "agent_exit");
    assert!(
        finished.reason().contains("exited with code 7"),
        "{}",
        finished.reason()
    );
    assert_eq!(finished.turn(1)["exit_code"], 7);
    // It fails, and its work is kept.
    assert!(finished.patch().contains("+made"));
}

#[test]
fn an_agent_that_crashes() {
    let case = Case::new(json!([{"actions": [made(), "abort"]}]));
    let finished = case.expect(&case.run(), 1, "failed", "agent_signal");
    assert!(
        finished.reason().contains("signal 6 ended the agent"),
        "{}",
        finished.reason()
    );
    assert!(finished.patch().contains("+made"));
}

#[test]
fn an_agent_that_kills_itself() {
    let case = Case::of_command(&["sh", "-c", "kill -9 $$"]);
    let finished = case.expect(&case.run(), 1, "failed", "agent_signal");
    assert!(
        finished.reason().contains("signal 9 ended the agent"),
        "{}",
        finished.reason()
    );
}

#[test]
fn done_does_not_count_with_a_bad_exit() {
    let case = Case::of_command(&[
        "sh",
        "-c",
        "echo '{\"status\": \"done\"}' > \"$DOGWATCH_RESPONSE_FILE\"; exit 3",
    ]);
    let finished = case.expect(&case.run(), 1, "failed", "agent_exit");
    assert_eq!(finished.turn(1)["response_status"], "done");
}

#[test]
fn blocked_counts_with_any_exit_and_the_job_can_be_taken_up_again() {
    let case = Case::new(json!([{
        "actions": [made()],
        "respond": {"status": "blocked", "summary": "the API key is missing"},
    }]));
    let ended = case.run();
    let finished = case.expect(&ended, 3, "blocked", "agent_blocked");
    assert_eq!(finished.result["job_status"], "blocked");
    assert_eq!(finished.reason(), "the API key is missing");
    assert_eq!(finished.turn(1)["outcome"], "escalation_blocker");

    case.script(json!([{"actions": [made()]}]));
    let again = case.dogwatch(&["jobs", "retry", "--json", finished.job()]);
    let again = case.expect_success(&again);
    assert_eq!(again.job(), finished.job());
    assert_ne!(again.result["run_id"], finished.result["run_id"]);
    assert_eq!(again.facts("run.started.v1")[0]["attempt"], 2);
}

#[test]
fn blocked_wins_over_a_bad_exit() {
    let case = Case::of_command(&[
        "sh",
        "-c",
        "echo '{\"status\": \"blocked\", \"summary\": \"help\"}' > \"$DOGWATCH_RESPONSE_FILE\"; exit 9",
    ]);
    let finished = case.expect(&case.run(), 3, "blocked", "agent_blocked");
    assert_eq!(finished.reason(), "help");
    assert_eq!(finished.turn(1)["exit_code"], 9);
}

#[test]
fn failed_is_final_and_a_retry_is_a_new_job() {
    let case = Case::new(json!([{"respond": {"status": "failed", "summary": "I give up"}}]));
    let finished = case.expect(&case.run(), 1, "failed", "agent_failed");
    assert_eq!(finished.reason(), "I give up");
    assert_eq!(finished.result["job_status"], "failed");

    case.script(json!([{"actions": [made()]}]));
    let again = case.expect_success(&case.dogwatch(&["jobs", "retry", "--json", finished.job()]));
    assert_ne!(again.job(), finished.job());
}

#[test]
fn an_agent_may_go_on_with_a_task_of_its_own() {
    let case = Case::new(json!([
        {"actions": [made()], "respond": {"status": "continue", "summary": "half", "next_task": "write the other half"}},
        {"actions": [{"write": {"path": "other.txt", "content": "other\n"}}]},
    ]));
    let finished = case.expect_success(&case.run());
    assert_eq!(
        finished.facts("turn.begun.v1")[1]["task"],
        "write the other half"
    );
    let request = fs::read(finished.bundle.turn(2).request()).unwrap();
    let request: serde_json::Value = serde_json::from_slice(&request).unwrap();
    assert_eq!(request["task"], "do it");
    assert_eq!(request["current_task"], "write the other half");
    let prompt = fs::read_to_string(finished.bundle.turn(2).prompt()).unwrap();
    assert!(prompt.contains("write the other half"), "{prompt}");
    // No gates in between.
    assert_eq!(finished.gate("diff_scope"), [("passed", "passed")]);
    assert_eq!(finished.files(), "A\tmade.txt\nA\tother.txt\n");
}

#[test]
fn an_agent_that_never_comes_to_an_end_runs_out_of_turns() {
    let turn = json!({"actions": [made()], "respond": {"status": "continue", "summary": "more"}});
    let case = Case::new(json!([turn, turn, turn, turn]));
    let ended = case.run_contract(json!({"limits": {"max_turns": 3}}));
    let finished = case.expect(&ended, 1, "failed", "max_turns");
    assert_eq!(finished.result["failure"]["class"], "limit");
    assert_eq!(finished.result["turns"], 3);
    assert!(
        finished.reason().contains("max_turns=3"),
        "{}",
        finished.reason()
    );
    assert!(finished.gate("diff_scope").is_empty());
}
