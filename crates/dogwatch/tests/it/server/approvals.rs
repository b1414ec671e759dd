//! A person decides, and nothing executes before.

use std::time::Duration;

use dogwatch_testkit::wait_for;
use serde_json::{Value, json};

use crate::support::Case;

const SOON: Duration = Duration::from_secs(30);

fn pending(case: &Case) -> Vec<Value> {
    let ended = case.dogwatch(&["approvals", "list", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let page: Value = serde_json::from_str(&ended.out).expect("a page");
    page["items"].as_array().expect("items").clone()
}

fn waiting() -> (Case, String, std::path::PathBuf) {
    let case = Case::new(json!([]));
    let here = case.meeting("here");
    case.script(json!([{"actions": [
        {"touch": {"path": here}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let ended = case.run_contract(json!({"review": {"approve_before_start": true}}));
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let result = ended.result();
    assert_eq!(result["job_status"], "awaiting_approval", "{ended:?}");
    let job = result["job_id"].as_str().expect("a job").to_owned();
    (case, job, here)
}

#[test]
fn a_start_waits_for_its_yes() {
    let (case, job, here) = waiting();
    let approvals = pending(&case);
    assert_eq!(approvals.len(), 1);
    let approval = approvals[0]["approval"]["id"].as_str().unwrap().to_owned();
    assert!(!here.exists(), "nothing executed");
    let shown = case.dogwatch(&["approvals", "show", &approval[approval.len() - 6..]]);
    assert!(shown.out.contains("\"action\":\"run.start\""), "{shown:?}");

    let approved = case.dogwatch(&["approvals", "approve", &approval, "-m", "go on"]);
    assert_eq!(approved.code, Some(0), "{approved:?}");
    let finished = case.expect_success(&case.dogwatch(&["wait", "--json", &job]));
    assert_eq!(finished.files(), "A\tmade.txt\n");
    // It counts once, and for nothing else.
    case.dogwatch(&["approvals", "approve", &approval])
        .expect_refusal("approval_not_pending", &[]);
    assert!(pending(&case).is_empty());
}

#[test]
fn a_no_is_a_denial() {
    let (case, job, here) = waiting();
    let approval = pending(&case)[0]["approval"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        case.dogwatch(&["approvals", "deny", &approval, "-m", "not today"])
            .code,
        Some(0)
    );
    let ended = case.dogwatch(&["wait", "--json", &job]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let result = ended.result();
    assert_eq!(result["job_status"], "denied");
    assert_eq!(result["failure"]["code"], "approval_rejected");
    assert!(
        result["failure"]["reason"]
            .as_str()
            .unwrap()
            .contains("not today")
    );
    assert!(!here.exists(), "nothing executed");
}

#[test]
fn nobody_decided_means_no() {
    let case = Case::new(json!([{"actions": [{"write": {"path": "a", "content": "a"}}]}]));
    let ended = case.run_contract(json!({
        "review": {"approve_before_start": true, "approval_timeout": "1s"},
    }));
    let job = ended.result()["job_id"].as_str().expect("a job").to_owned();
    let result = wait_for("it expires", SOON, || {
        let ended = case.dogwatch(&["wait", "--json", &job]);
        (ended.result()["job_status"] == "denied").then(|| ended.result())
    })
    .unwrap();
    assert_eq!(result["failure"]["code"], "approval_expired");
    assert!(
        !case.home.data().join("runs").exists()
            || std::fs::read_dir(case.home.data().join("runs"))
                .unwrap()
                .next()
                .is_none()
    );
}

/// An agent that asks before its first answer, and does what it was told afterwards.
fn asking() -> Case {
    let program = crate::support::program().display().to_string();
    let script = format!(
        r#"set -eu
grep -qs approved "$DOGWATCH_PROMPT_FILE" && {{ echo yes > decided.txt; exit 0; }}
grep -qs rejected "$DOGWATCH_PROMPT_FILE" && {{ echo no > decided.txt; exit 0; }}
'{program}' approvals request '{{"action":"deploy","to":"prod\u202e"}}' --reason 'it is ready' > "$TMPDIR/asked" || exit 1
id=$(cat "$TMPDIR/asked")
# Whoever asks does not decide.
if '{program}' approvals approve "$id" 2> "$TMPDIR/self"; then exit 9; fi
printf '{{"status":"blocked","summary":"waiting for a person"}}' > "$DOGWATCH_RESPONSE_FILE"
"#
    );
    Case::of_command(&["sh", "-c", &script])
}

#[test]
fn a_running_agent_asks_its_run_is_parked_and_goes_on() {
    for (verb, said) in [("approve", "yes\n"), ("deny", "no\n")] {
        let case = asking();
        let ended = case.dogwatch(&["run", "--json", "deploy it"]);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.out.contains("\"run.parked.v1\""), "{ended:?}");
        let approvals = pending(&case);
        let approval = &approvals[0]["approval"];
        let id = approval["id"].as_str().unwrap();
        let shown = case.dogwatch(&["approvals", "show", id]);
        assert!(
            !shown.out.contains('\u{202e}'),
            "shown, not rendered: {shown:?}"
        );
        assert!(shown.out.contains("deploy"), "{shown:?}");
        assert!(
            approval["requested_by"]
                .as_str()
                .unwrap()
                .starts_with("agent:")
        );
        assert_eq!(case.dogwatch(&["approvals", verb, id]).code, Some(0));
        let job = approvals[0]["job"].as_str().unwrap();
        let finished = case.expect_success(&case.dogwatch(&["wait", "--json", job]));
        // The same run, the same attempt: it only waited.
        assert_eq!(finished.facts("run.started.v1").len(), 1);
        assert_eq!(finished.facts("run.resumed.v1").len(), 1);
        assert!(
            finished.patch().contains(&format!("+{said}")),
            "{}",
            finished.patch()
        );
    }
}
