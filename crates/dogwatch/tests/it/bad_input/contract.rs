//! The contract.

use std::fs;

use serde_json::{Value, json};

use super::{case, refused};

#[track_caller]
fn contract_refused(contract: Value, code: &str, parts: &[&str]) {
    let case = case();
    let ended = case.run_contract(contract);
    refused(&case, &ended, code, parts);
}

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
        json!({"containment": "fully"}),
        "invalid_value",
        &["`containment` is \"fully\", which is no level of containment"],
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
    let toml = write("contract.toml", "schema = 1\ntask = \"do it\"\nmore\n");
    let ended = case.dogwatch(&["run", "--contract", &toml]);
    refused(&case, &ended, "invalid_toml", &["invalid_toml: 3:"]);
    let json = write("contract.json", "{\"schema\": 1,\n \"task\": }");
    let ended = case.dogwatch(&["run", "--contract", &json]);
    refused(&case, &ended, "invalid_json", &["invalid_json: 2:"]);
}
