//! What is said of a run that is under way, beside the command that drives it.

use dogwatch_testkit::Outcome;
use serde_json::{Value, json};

use crate::support::Case;

/// Runs a command beside a run whose agent waits in its first turn, and lets that go on afterwards.
fn beside_a_run(look: impl FnOnce(&Case, &dyn Fn(&[&str]) -> Outcome)) {
    let case = Case::new(json!([]));
    let (arrived, go) = (case.meeting("arrived"), case.meeting("go"));
    case.script(json!([{"actions": [
        {"print": {"text": "at work"}},
        {"write": {"path": "made.txt", "content": "made\n"}},
        {"touch": {"path": arrived}},
        {"wait_for_file": {"path": go, "timeout_ms": 600_000}},
    ]}]));
    let running = case.start(case.command(["run", "--json", "do it"]));
    running.wait_for_file(&arrived);
    look(&case, &|args| case.home.run(&mut case.command(args)));
    std::fs::write(go, "").unwrap();
    case.expect_success(&running.wait());
}

#[test]
fn everything_can_be_looked_at_while_a_run_is_under_way() {
    beside_a_run(|case, dogwatch| {
        let list = dogwatch(&["jobs", "list", "--json"]);
        list.expect_code(0);
        let list: Value = serde_json::from_slice(&list.stdout).unwrap();
        assert_eq!(list["items"][0]["state"]["status"], "running");
        let job = list["items"][0]["id"].as_str().unwrap().to_owned();

        let shown = dogwatch(&["jobs", "show", &job]);
        shown.expect_code(0);
        for part in [
            "running  job_",
            "lease        lse_",
            "epoch 1",
            "process ",
            "under way since",
        ] {
            assert!(shown.out().contains(part), "{part}: {shown:?}");
        }
        let shown = dogwatch(&["runs", "show", &job]);
        shown.expect_code(0);
        for part in [
            "turn_executing  run_",
            "phase        ",
            "(unsealed)",
            "next         dogwatch logs",
        ] {
            assert!(shown.out().contains(part), "{part}: {shown:?}");
        }

        // The shim writes what it captured as it comes; this asks until it has.
        let mut logs = dogwatch(&["logs", &job]);
        let seen =
            dogwatch_testkit::wait_until("the output", std::time::Duration::from_secs(60), || {
                logs = dogwatch(&["logs", &job]);
                logs.out().contains("at work")
            });
        seen.unwrap_or_else(|error| panic!("{error}: {logs:?}"));
        logs.expect_code(0);

        let diff = dogwatch(&["diff", &job]);
        diff.expect_code(1);
        assert!(diff.err().contains("error[run_not_over]"), "{diff:?}");
        let checked = dogwatch(&["verify", &job]);
        checked.expect_code(1);
        assert!(checked.out().contains("  unsealed  "), "{checked:?}");
        assert!(
            checked.err().contains("sealed when its run ends"),
            "{checked:?}"
        );

        let doctor = dogwatch(&["doctor"]);
        doctor.expect_code(0);
        let lock = std::fs::read_to_string(case.home.data().join("server.lock")).unwrap();
        assert!(
            doctor.out().contains(&format!("held by process {lock}")),
            "{doctor:?}"
        );
    });
}
