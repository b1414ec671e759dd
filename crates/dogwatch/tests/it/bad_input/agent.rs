//! The agent.

use serde_json::json;

use super::{case, refused, task_refused};
use crate::support::{Case, quoted};

#[test]
fn no_agent_at_all() {
    let case = case();
    case.home.write_config("");
    task_refused(
        &case,
        "agent_missing",
        &["no agent is configured", "define one as [agents.NAME]"],
    );
}

#[test]
fn several_agents_and_none_named() {
    let case = case();
    let agent = |name| format!("[agents.{name}]\ndriver = \"exec\"\ncommand = [\"true\"]\n");
    case.home.write_config(&(agent("one") + &agent("two")));
    task_refused(
        &case,
        "agent_missing",
        &["there are several: one, two", "give --agent"],
    );
}

#[test]
fn an_agent_that_nobody_configured_is_answered_with_the_nearest_one() {
    let case = case();
    let ended = case.dogwatch(&["run", "--agent", "scriptet", "do it"]);
    refused(
        &case,
        &ended,
        "agent_unknown",
        &[
            "agent \"scriptet\" is not configured",
            "did you mean \"scripted\"?",
            "[agents.NAME]",
        ],
    );
    let ended = case.run_contract(json!({"agent": "codex"}));
    refused(
        &case,
        &ended,
        "agent_unknown",
        &["agent \"codex\" is not configured", "there is scripted"],
    );
}

#[test]
fn an_agent_whose_program_is_not_there() {
    let case = Case::of_command(&["no-such-agent-anywhere", "--yes"]);
    let finished = case.expect(&case.run(), 1, "failed", "agent_not_found");
    assert!(
        finished.reason().contains("could not be started"),
        "{}",
        finished.reason()
    );
    assert_eq!(finished.result["failure"]["class"], "input");
    assert_eq!(finished.result["turns"], 1);
}

#[test]
fn an_agent_that_may_not_be_executed() {
    let case = Case::of_command(&["/etc/passwd"]);
    let finished = case.expect(&case.run(), 1, "failed", "agent_not_startable");
    assert!(
        finished.reason().contains("could not be started"),
        "{}",
        finished.reason()
    );
}

#[test]
fn an_agent_with_a_blank_command() {
    for command in ["[]", "[\"\"]", "[\"  \", \"x\"]"] {
        let case = case();
        case.home.write_config(&format!(
            "[agents.scripted]\ndriver = \"exec\"\ncommand = {command}\n"
        ));
        task_refused(
            &case,
            "config_invalid",
            &["`agents.scripted.command` is blank, so it would run nothing"],
        );
    }
}

#[test]
fn a_driver_that_does_not_exist_yet() {
    let case = case();
    case.home
        .write_config("[agents.codex]\ndriver = \"codex\"\ncommand = [\"codex\"]\n");
    task_refused(
        &case,
        "config_invalid",
        &[
            "`agents.codex.driver` = \"codex\" is not available yet",
            "\"exec\" runs any command",
        ],
    );
}

#[test]
fn an_agent_of_that_name_may_be_configured_by_both() {
    let case = case();
    case.repo
        .write(
            "dogwatch.toml",
            format!(
                "[agents.scripted]\ndriver = \"exec\"\ncommand = [\"sh\", \"-c\", {}]\n",
                quoted("echo theirs > made.txt")
            ),
        )
        .commit("configure");
    let finished = case.expect_success(&case.run());
    assert!(finished.patch().contains("+theirs"), "{}", finished.patch());
}
