//! What a user can get wrong, each with the message it gives. Nothing of it leaves a trace in the data directory.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use dogwatch_testkit::{Repo, skip};
use serde_json::{Value, json};

use crate::support::{Case, Ended, quoted};

/// An agent that does its work at the first try.
fn good_turns() -> Value {
    json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}])
}

fn case() -> Case {
    Case::new(good_turns())
}

/// A refusal before anything was written.
#[track_caller]
fn refused(case: &Case, ended: &Ended, code: &str, parts: &[&str]) {
    ended.expect_refusal(code, parts);
    assert!(!case.home.data().exists(), "{ended:?}");
    assert!(
        !case.repo.path().join(".git/dogwatch").exists(),
        "{ended:?}"
    );
}

#[track_caller]
fn task_refused(case: &Case, code: &str, parts: &[&str]) {
    refused(case, &case.dogwatch(&["run", "do it"]), code, parts);
    // A program gets the same code and words.
    refused(case, &case.run(), code, parts);
}

#[track_caller]
fn contract_refused(contract: Value, code: &str, parts: &[&str]) {
    let case = case();
    let ended = case.run_contract(contract);
    refused(&case, &ended, code, parts);
}

fn add_to_user_config(case: &Case, toml: &str) {
    let path = case.home.config_path();
    let before = fs::read_to_string(&path).unwrap();
    case.home.write_config(&format!("{toml}\n{before}"));
}

// The repository.

#[test]
fn a_directory_that_is_no_repository() {
    let case = case();
    let mut command = case.command(["run", "do it"]);
    command.current_dir(case.home.root().join("home"));
    let ended = case.start(command).wait();
    refused(
        &case,
        &ended,
        "not_a_repository",
        &["find a git repository at", "git init"],
    );
}

#[test]
fn a_directory_that_is_not_there() {
    let case = case();
    let ended = case.dogwatch(&["-C", "/nonexistent/place", "run", "do it"]);
    refused(
        &case,
        &ended,
        "directory_missing",
        &["/nonexistent/place", "no such directory"],
    );
}

#[test]
fn a_bare_repository() {
    let case = case();
    case.repo
        .git(["config", "core.bare", "true"])
        .expect_success();
    fs::remove_file(case.repo.path().join("README.md")).unwrap();
    task_refused(&case, "bare_repository", &["it is a bare repository"]);
}

#[test]
fn the_git_directory_itself() {
    let case = case();
    let mut command = case.command(["run", "do it"]);
    command.current_dir(case.repo.path().join(".git"));
    let ended = case.start(command).wait();
    refused(
        &case,
        &ended,
        "inside_git_directory",
        &["inside a `.git` directory"],
    );
}

#[test]
fn an_empty_repository() {
    let case = Case::in_repo(Repo::init(), good_turns());
    task_refused(
        &case,
        "empty_repository",
        &["has no commit yet", "commit something"],
    );
}

#[test]
fn a_base_that_is_not_there_is_answered_with_the_nearest_one() {
    let case = case();
    case.repo.git(["branch", "release"]).expect_success();
    let next = "name a branch, a tag or a commit";
    let ended = case.dogwatch(&["run", "--base", "relaese", "do it"]);
    refused(
        &case,
        &ended,
        "base_ref_not_found",
        &[
            "resolve `relaese` to a commit",
            "did you mean `release`?",
            next,
        ],
    );
    let ended = case.run_contract(json!({"base_ref": "relaese"}));
    refused(&case, &ended, "base_ref_not_found", &["`relaese`", next]);
}

#[test]
fn a_base_that_looks_like_an_option() {
    let case = case();
    let ended = case.dogwatch(&["run", "--base=--all", "do it"]);
    refused(
        &case,
        &ended,
        "base_ref_not_found",
        &["resolve `--all` to a commit"],
    );
}

#[test]
fn a_dirty_tree_is_not_included_and_that_is_said() {
    let case = case();
    case.repo
        .write("README.md", "# Changed\n")
        .write("new.txt", "new\n");
    let before = case.repo.status();
    let ended = case.run();
    let finished = case.expect_success(&ended);
    let head = case.repo.head();
    let note = format!(
        "2 uncommitted path(s) are not included: the run starts from HEAD ({})",
        &head[..12]
    );
    assert!(ended.err.contains(&note), "{ended:?}");
    assert_eq!(finished.files(), "A\tmade.txt\n");
    assert_eq!(case.repo.status(), before);
}

#[test]
fn a_clean_tree_is_not_talked_about() {
    let case = case();
    let ended = case.run();
    case.expect_success(&ended);
    assert!(!ended.err.contains("uncommitted"), "{ended:?}");
    assert!(
        ended.err.contains("no acceptance gate is defined"),
        "{ended:?}"
    );
}

#[track_caller]
fn runs_in_a_directory_named(name: &OsStr) {
    let repo = Repo::builder().name(name).init();
    repo.write("README.md", "# A project\n")
        .write(
            "dogwatch.toml",
            "[[acceptance]]\nname = \"tests\"\nrun = \"test -s made.txt\"\n",
        )
        .commit("start");
    let case = Case::in_repo(repo, good_turns());
    let finished = case.expect_success(&case.run());
    assert_eq!(finished.gate("tests"), [("passed", "passed")]);
    // From elsewhere, by name.
    let mut command = case.command([OsStr::new("-C"), case.repo.path().as_os_str()]);
    command.args(["run", "--json", "do it"]).current_dir("/");
    case.expect_success(&case.start(command).wait());
    // And again without its help: the checkout is found by what was remembered.
    let job = finished.job();
    let again = case.dogwatch(&["jobs", "retry", "--json", job]);
    let again = case.expect_success(&again);
    assert_eq!(again.facts("run.started.v1")[0]["attempt"], 2);
}

#[test]
fn a_path_with_spaces_and_quotes() {
    runs_in_a_directory_named(OsStr::new(" my 'own' \"project\" $HOME "));
}

#[test]
fn a_path_with_a_newline() {
    runs_in_a_directory_named(OsStr::new("two\nlines\n"));
}

#[test]
fn a_path_that_is_not_text() {
    runs_in_a_directory_named(&OsString::from_vec(b"caf\xe9 \xff\xfe".to_vec()));
}

// Configuration.

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
        let case = self::case();
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

// The agent.

#[test]
fn no_agent_at_all() {
    let case = case();
    case.home.write_config("");
    let ended = case.run();
    refused(&case, &ended, "agent_missing", &["agent", "[agents.NAME]"]);
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

// The contract.

#[test]
fn an_unknown_key_of_a_contract() {
    contract_refused(
        json!({"allowed_path": ["src/**"]}),
        "unknown_key",
        &[
            "`allowed_path` is not a key of a contract",
            "did you mean `allowed_paths`?",
        ],
    );
    contract_refused(
        json!({"limits": {"max_turn": 3}}),
        "unknown_key",
        &[
            "`limits.max_turn` is not a key of a contract",
            "did you mean `max_turns`?",
        ],
    );
    contract_refused(
        json!({"acceptance": [{"name": "tests", "run": "true", "timout": "10s"}]}),
        "unknown_key",
        &["`acceptance[0].timout`", "did you mean `timeout`?"],
    );
}

#[test]
fn a_field_that_is_not_enforced_yet() {
    for field in [
        "role",
        "required_outputs",
        "setup",
        "permissions",
        "review",
        "environment",
        "output",
        "rollback",
        "trust",
    ] {
        contract_refused(
            json!({field: {}}),
            "not_enforced",
            &[
                &format!("`{field}` is not enforced yet, so a contract may not rely on it"),
                "remove it",
            ],
        );
    }
    contract_refused(
        json!({"acceptance": [{"name": "tests", "run": "true", "reuse_build": true}]}),
        "not_enforced",
        &["`acceptance[0].reuse_build` is not enforced yet"],
    );
    contract_refused(
        json!({"containment": "full"}),
        "invalid_value",
        &["`containment`"],
    );
}

#[test]
fn limits_of_zero() {
    contract_refused(
        json!({"limits": {"max_turns": 0, "stall_window_ms": 0}}),
        "limit_zero",
        &[
            "`limits.max_turns` is 0",
            "`limits.stall_window_ms` is 0",
            "leave it out for the default",
        ],
    );
}

#[test]
fn paths_that_allow_nothing() {
    contract_refused(
        json!({"allowed_paths": []}),
        "invalid_value",
        &["`allowed_paths`"],
    );
}

#[test]
fn a_gate_that_would_run_nothing() {
    contract_refused(
        json!({"acceptance": [{"name": "tests", "run": " "}]}),
        "invalid_value",
        &["`acceptance[0].run` is blank, so it would run nothing"],
    );
}

#[test]
fn a_task_and_a_contract() {
    let case = case();
    let file = case.write_contract(json!({}));
    let ended = case.dogwatch(&["run", "do it", "--contract", &file.to_string_lossy()]);
    refused(
        &case,
        &ended,
        "usage",
        &["a task and a contract were given", "give one of the two"],
    );
}

#[test]
fn neither_a_task_nor_a_contract() {
    let case = case();
    let ended = case.dogwatch(&["run"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("required arguments"), "{ended:?}");
    assert!(!case.home.data().exists());
}

#[test]
fn a_blank_task() {
    let case = case();
    let ended = case.dogwatch(&["run", "  \n"]);
    refused(&case, &ended, "invalid_value", &["`task` is blank"]);
}

#[test]
fn a_contract_that_cannot_be_read() {
    let case = case();
    let ended = case.dogwatch(&["run", "--contract", "missing.toml"]);
    let place = case.repo.path().join("missing.toml");
    refused(
        &case,
        &ended,
        "contract_unreadable",
        &[&place.to_string_lossy(), "No such file"],
    );
    let directory = case.home.root().to_string_lossy().into_owned();
    let ended = case.dogwatch(&["run", "--contract", &directory]);
    refused(&case, &ended, "contract_unreadable", &[&directory]);
}

#[test]
fn a_contract_that_is_not_toml_or_json_is_located() {
    let case = case();
    let write = |name: &str, text: &str| {
        let file = case.home.root().join(name);
        fs::write(&file, text).unwrap();
        file.to_string_lossy().into_owned()
    };
    let toml = write("contract.toml", "schema = 1\ntask = \"do it\nmore\"\n");
    let ended = case.dogwatch(&["run", "--contract", &toml]);
    refused(&case, &ended, "invalid_toml", &["invalid_toml: 2:"]);
    let json = write("contract.json", "{\"schema\": 1,\n \"task\": }");
    let ended = case.dogwatch(&["run", "--contract", &json]);
    refused(&case, &ended, "invalid_json", &["invalid_json: 2:"]);
}

// The machine.

#[test]
fn a_data_directory_that_is_a_file() {
    let case = case();
    fs::write(case.home.data(), "in the way").unwrap();
    let place = case.home.data().to_string_lossy().into_owned();
    case.run().expect_refusal(
        "data_directory",
        &[&place, "cannot be used", "set DOGWATCH_HOME"],
    );
    assert_eq!(fs::read_to_string(case.home.data()).unwrap(), "in the way");
}

#[test]
fn a_data_directory_that_may_not_be_written() {
    if nix::unistd::geteuid().is_root() {
        skip(
            "bad_input::a_data_directory_that_may_not_be_written",
            "root may write everywhere",
        );
        return;
    }
    let case = case();
    fs::create_dir(case.home.data()).unwrap();
    let mode = |mode| {
        fs::set_permissions(
            case.home.data(),
            std::os::unix::fs::PermissionsExt::from_mode(mode),
        )
        .unwrap()
    };
    mode(0o500);
    let ended = case.run();
    mode(0o700);
    ended.expect_refusal(
        "data_directory",
        &["Permission denied", "mend its permissions"],
    );
}

#[test]
fn a_data_directory_that_is_not_absolute() {
    let case = case();
    let mut command = case.command(["run", "do it"]);
    command.env("DOGWATCH_HOME", "data");
    let ended = case.start(command).wait();
    refused(&case, &ended, "places", &["DOGWATCH_HOME", "absolute"]);
}

#[test]
fn a_second_run_is_refused_and_the_first_one_named() {
    let here = "here";
    let case = case();
    let (arrived, go) = (case.meeting(here), case.meeting("go"));
    case.script(json!([{"actions": [
        {"touch": {"path": arrived}},
        {"wait_for_file": {"path": go, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let first = case.start(case.command(["run", "--json", "do it"]));
    first.wait_for_file(&arrived);
    let pid = format!(
        "another dogwatch process (pid {}) is using this data directory",
        first.pid()
    );
    for args in [
        &["run", "do it"][..],
        &["demo"],
        &["jobs", "retry", "abcdef"],
        &["jobs", "cancel", "abcdef"],
    ] {
        let ended = case.dogwatch(args);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.err.contains("error[already_running]") && ended.err.contains(&pid),
            "{ended:?}"
        );
    }
    fs::write(go, "").unwrap();
    case.expect_success(&first.wait());
    // The lock went with the process.
    case.script(good_turns());
    case.expect_success(&case.run());
}

#[test]
fn a_home_with_spaces_serves_as_well() {
    let case = case();
    let data = case.home.root().join("my data");
    let mut command = case.command(["run", "--json", "do it"]);
    command.env("DOGWATCH_HOME", &data);
    let ended = case.start(command).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let bundle = ended.result()["bundle"].as_str().unwrap().to_owned();
    assert!(Path::new(&bundle).starts_with(&data), "{bundle}");
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
