//! Configuration, from the user, the project and the environment.

use std::fs;

use super::{case, refused, task_refused};
use crate::support::Case;

fn add_to_user_config(case: &Case, toml: &str) {
    let path = case.home.config_path();
    let before = fs::read_to_string(&path).unwrap();
    case.home.write_config(&format!("{toml}\n{before}"));
}

#[test]
fn an_unknown_key_of_the_user_configuration() {
    let case = case();
    add_to_user_config(&case, "model_clas = \"mid\"");
    task_refused(
        &case,
        "config_invalid",
        &[
            "config/dogwatch/config.toml:1:1: `model_clas` is not a key of the configuration",
            "did you mean `model_class`?",
        ],
    );
}

#[test]
fn an_unknown_key_of_the_project_configuration() {
    let case = case();
    case.repo
        .write(
            "dogwatch.toml",
            "[[acceptance]]\nname = \"tests\"\nrun = \"true\"\nmust_pas = false\n",
        )
        .commit("configure");
    task_refused(
        &case,
        "config_invalid",
        &[
            "dogwatch.toml:4:1: `acceptance[0].must_pas` is not a key of the configuration",
            "did you mean `must_pass`?",
        ],
    );
}

#[test]
fn every_problem_is_named_at_once() {
    let case = case();
    add_to_user_config(&case, "modle_class = \"mid\"\nagent = 7");
    case.repo
        .write("dogwatch.toml", "[limits]\nmax_turn = 3\n")
        .commit("configure");
    task_refused(
        &case,
        "config_invalid",
        &["`modle_class`", "`agent`", "did you mean `max_turns`?"],
    );
}

#[test]
fn a_project_configuration_that_is_not_committed_is_not_read() {
    let case = case();
    case.repo.write("dogwatch.toml", "this is not TOML");
    let ended = case.run();
    case.expect_success(&ended);
    assert!(ended.err.contains("1 uncommitted path(s)"), "{ended:?}");
}

#[test]
fn text_that_is_not_toml_is_located() {
    let case = case();
    case.repo
        .write("dogwatch.toml", "agent = \"scripted\"\n[run\n")
        .commit("configure");
    task_refused(&case, "config_invalid", &["invalid_toml: dogwatch.toml:2:"]);
}

#[test]
fn a_project_configuration_that_is_not_text() {
    let case = case();
    case.repo
        .write("dogwatch.toml", b"agent = \"\xff\"\n")
        .commit("configure");
    task_refused(&case, "config_invalid", &["dogwatch.toml is not UTF-8"]);
}

#[test]
fn a_policy_is_refused_until_there_is_one_to_enforce() {
    for key in ["policy", "policies", "rules"] {
        let case = case();
        add_to_user_config(&case, &format!("{key} = \"strict\""));
        task_refused(
            &case,
            "config_invalid",
            &[
                &format!("not_enforced: {}", case.home.config_path().display()),
                &format!("`{key}` is not enforced yet"),
            ],
        );
        let case = super::case();
        case.repo
            .write("dogwatch.toml", format!("[{key}]\nallow = true\n"))
            .commit("configure");
        task_refused(
            &case,
            "config_invalid",
            &["dogwatch.toml:1:", &format!("`{key}` is not enforced yet")],
        );
    }
}

#[test]
fn variables_of_the_host_are_not_for_a_project_to_pass_on() {
    let case = case();
    case.repo
        .write(
            "dogwatch.toml",
            "[agents.mine]\ndriver = \"exec\"\ncommand = [\"true\"]\nenv = [\"SECRET\"]\n",
        )
        .commit("configure");
    task_refused(
        &case,
        "config_invalid",
        &[
            "user_only",
            "`agents.mine.env` may only stand in the user's configuration",
        ],
    );
}

#[test]
fn a_limit_of_zero_in_the_environment() {
    let case = case();
    let mut command = case.command(["run", "do it"]);
    command.env("DOGWATCH_LIMITS_MAX_TURNS", "0");
    let ended = case.start(command).wait();
    refused(
        &case,
        &ended,
        "config_invalid",
        &[
            "limit_zero: environment",
            "`DOGWATCH_LIMITS_MAX_TURNS` is 0",
        ],
    );
}
