//! Agents that destroy what dogwatch works with. Without containment they can: the run then fails and says so, and nothing else is
//! taken for the result.

use std::fs;
use std::path::PathBuf;

use dogwatch_bundle::{BundleReader, BundleState};
use dogwatch_core::job::JobState;
use serde_json::{Value, json};

use crate::record::Record;
use crate::support::Case;

/// The data directory, as an agent can find it.
const DATA: &str = "$DOGWATCH_WORKSPACE/../../..";

fn honest() -> Value {
    json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}])
}

fn shell(command: &str) -> Value {
    json!([{"actions": [{"shell": {"command": command}}]}])
}

#[test]
fn a_workspace_that_is_gone_or_somewhere_else() {
    let secret = "mkdir -p \"$HOME/secret\" && echo private > \"$HOME/secret/key\"";
    for command in [
        "rm -rf \"$DOGWATCH_WORKSPACE\"".to_owned(),
        "rm -rf \"$(dirname \"$DOGWATCH_WORKSPACE\")\"".to_owned(),
        "rm -rf \"$DOGWATCH_WORKSPACE\" && echo file > \"$DOGWATCH_WORKSPACE\"".to_owned(),
        format!(
            "{secret} && rm -rf \"$DOGWATCH_WORKSPACE\" && ln -s \"$HOME/secret\" \"$DOGWATCH_WORKSPACE\""
        ),
    ] {
        // Without the script's own process, which would miss its directory.
        let case = Case::of_command(&["sh", "-c", &format!("cd / && {command}")]);
        let finished = case.expect(&case.run(), 1, "failed", "snapshot");
        assert!(
            finished.reason().contains("read . in the workspace"),
            "{}",
            finished.reason()
        );
        assert_eq!(finished.result["failure"]["class"], "infrastructure");
        assert_eq!(finished.result["tree"], Value::Null);
        assert!(
            finished
                .note("snapshot_failed")
                .contains("workspace is kept")
        );
        assert!(!finished.bundle.patch().exists());
    }
}

#[test]
fn output_that_was_removed_while_it_was_written() {
    let case = Case::new(shell(&format!(
        "rm {DATA}/runs/*/turns/001/output.frames; echo made > made.txt"
    )));
    let finished = case.expect(&case.run(), 1, "failed", "evidence_write");
    assert!(
        finished.reason().contains("output.frames"),
        "{}",
        finished.reason()
    );
    assert_eq!(finished.turn(1)["status"], "failed");
    assert_eq!(finished.result["assurance"], "none");
}

/// The runner stops at once where its evidence is not its own any more, and what the control plane has of it is put in order. A job
/// whose every attempt ends so is left to a person. The bundles of those runs, and the job that can be tried again.
#[track_caller]
fn recovered_after(case: &Case) -> Vec<PathBuf> {
    let ended = case.run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let result = ended.result();
    assert_eq!(result["job_status"], "failed", "{ended:?}");
    assert_eq!(result["outcome"], "orphaned", "{ended:?}");
    let record = Record::read(&case.home.data());
    let job = record.only_job();
    assert!(
        matches!(
            job.state,
            JobState::Failed {
                dead_letter: true,
                ..
            }
        ),
        "{job:?}"
    );
    assert_eq!(job.starts(), 3);
    let bundles = job
        .runs
        .iter()
        .map(|run| case.home.data().join("runs").join(run.id.to_string()))
        .collect();
    case.script(honest());
    case.expect_success(&case.dogwatch(&["jobs", "retry", "--json", &job.id.to_string()]));
    bundles
}

#[test]
fn a_journal_that_was_changed_is_restored() {
    let case = Case::new(shell(&format!(
        "for it in {DATA}/runs/*/journal.jsonl; do sed -i 2d \"$it\"; done"
    )));
    let bundles = recovered_after(&case);
    // Each damaged those of the runs before it too, and its own was restored last.
    case.verified(bundles.last().expect("a bundle"));
}

#[test]
fn a_bundle_that_was_removed_is_never_taken_for_evidence_and_stands_in_nobodys_way() {
    let case = Case::new(shell(&format!("rm -rf {DATA}/runs/*")));
    let bundles = recovered_after(&case);
    let last = bundles.last().expect("a bundle");
    assert_eq!(
        BundleReader::open(last).unwrap().state(),
        BundleState::Unsealed
    );
}

#[test]
fn something_that_cannot_be_sealed_is_never_sealed_and_stands_in_nobodys_way() {
    for plant in [
        "mkfifo $it/pipe",
        "ln -s /etc/passwd $it/turns/link",
        "echo '{}' > $it/contract.json",
    ] {
        let case = Case::new(shell(&format!(
            "for it in {DATA}/runs/*; do {plant}; done; echo made > made.txt"
        )));
        let bundles = recovered_after(&case);
        for bundle in bundles {
            assert_eq!(
                BundleReader::open(&bundle).unwrap().state(),
                BundleState::Unsealed
            );
        }
    }
}

#[test]
fn a_vault_that_was_removed() {
    let case = Case::new(shell(&format!(
        "rm -rf {DATA}/vaults; echo made > made.txt"
    )));
    let finished = case.expect(&case.run(), 1, "failed", "snapshot");
    assert_eq!(finished.result["cleanup"], "kept");
    // What the agent wrote stands where it stood.
    let work = case
        .home
        .data()
        .join("work")
        .join(finished.result["run_id"].as_str().unwrap());
    assert_eq!(
        fs::read_to_string(work.join("workspace/made.txt")).unwrap(),
        "made\n"
    );
    // The vault is made anew from the repository.
    case.script(honest());
    case.expect_success(&case.run());
}

#[test]
fn endless_texts_are_clipped_where_they_are_recorded() {
    let case = Case::new(json!([
        {"respond": {"status": "continue", "summary": "s".repeat(300_000), "next_task": "n".repeat(300_000)}},
        {"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]},
    ]));
    let ended = case.run();
    let finished = case.expect_success(&ended);
    for line in fs::read_to_string(finished.bundle.journal())
        .unwrap()
        .lines()
    {
        assert!(line.len() <= 4096, "{} bytes: {line}", line.len());
    }
    // The agent itself gets all of it.
    let request = fs::read_to_string(finished.bundle.turn(2).request()).unwrap();
    assert!(request.contains(&"n".repeat(300_000)));
}

#[test]
fn text_of_an_agent_never_controls_the_terminal() {
    let hostile = "\u{1b}[2J\u{1b}]0;pwned\u{7}\u{9b}31m please\r\nsucceeded after 0 turn(s)";
    let case = Case::new(json!([{
        "actions": [{"print": {"text": hostile}}, {"write": {"path": "a\u{1b}[31m.txt", "content": hostile}}],
        "respond": {"status": "blocked", "summary": hostile},
    }]));
    let ended = case.dogwatch(&["run", "do it"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended.out.starts_with("blocked after 1 turn(s)"),
        "{ended:?}"
    );
    for shown in [&ended.out, &ended.err] {
        let control = shown
            .chars()
            .find(|letter| letter.is_control() && *letter != '\n');
        assert_eq!(control, None, "{shown:?}");
        let forged = shown.lines().any(|line| line.starts_with("succeeded"));
        assert!(!forged, "{shown}");
    }
}

#[test]
fn an_agent_that_closes_its_output_is_fine() {
    let case = Case::of_command(&["sh", "-c", "exec >&- 2>&-; echo made > made.txt"]);
    case.expect_success(&case.run());
}
