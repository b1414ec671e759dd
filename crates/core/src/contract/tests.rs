//! What contracts promise, from the text a person writes to the bytes that are stored.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::canonical::{Sha256Digest, value_to_bytes};
use crate::limits::{LimitLayer, LimitOrigin, LimitsDraft, ModelClass};
use crate::strict;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn context() -> ContractContext {
    ContractContext {
        base_commit: COMMIT.to_owned(),
        default_agent: Some("coder".to_owned()),
        ..ContractContext::default()
    }
}

fn lines(error: &ContractError) -> Vec<String> {
    error
        .problems
        .iter()
        .map(|problem| format!("{} {problem}", problem.code))
        .collect()
}

fn refused_toml(text: &str) -> Vec<String> {
    lines(&ContractDraft::from_toml(text).unwrap_err())
}

#[test]
fn a_task_is_all_a_contract_needs() {
    let draft = ContractDraft::from_toml("schema = 1\ntask = \"fix it\"").unwrap();
    assert_eq!(draft, ContractDraft::of_task("fix it"));
    let contract = draft.expand(&context()).unwrap().contract;
    let stored = contract.to_stored().unwrap();
    assert_eq!(
        String::from_utf8(stored.bytes.clone()).unwrap(),
        concat!(
            r#"{"acceptance":[],"agent":"coder","allow_empty":false,"allowed_paths":["**"],"#,
            r#""base_commit":"0123456789abcdef0123456789abcdef01234567","base_ref":"HEAD","#,
            r#""containment":"reduced","forbidden_paths":[],"keep_workspace":false,"limits":{"gate_timeout_ms":600000,"#,
            r#""initial_backoff_ms":1000,"kill_grace_ms":2000,"max_retry_backoff_ms":60000,"#,
            r#""max_stall_restarts":2,"max_turns":6,"output_bytes":16777216,"response_bytes":1048576,"#,
            r#""stall_window_ms":120000,"turn_budget_ms":300000,"wall_ms":7200000},"#,
            r#""retry":{"max_attempts":1},"review":{"approval_ms":86400000,"approve_before_start":false},"schema":1,"task":"fix it"}"#,
        )
    );
    // The hash of released bytes never changes.
    assert_eq!(
        stored.hash.to_string(),
        "3d483b9c4f5da04fb6a120d4f6935f8d8840f4b6a7615a4b35b59f9a630d07ec"
    );
    assert_eq!(
        StoredContract::parse(&stored.bytes, stored.hash).unwrap(),
        contract
    );
}

#[test]
fn everything_enforced_can_be_said() {
    let text = r#"
        schema = 1
        task = "fix the flaky test"
        agent = "scripted"
        base_ref = "main"
        allowed_paths = ["src/**", "/tests"]
        forbidden_paths = ["*.lock"]
        allow_empty = true
        containment = "none"
        [[acceptance]]
        name = "unit"
        run = "cargo test"
        timeout = "10m"
        [[acceptance]]
        name = "lint"
        run = ["cargo", "clippy"]
        must_pass = false
        [limits]
        max_turns = 3
        gate_timeout_ms = 5000
        [retry]
        max_attempts = 3
    "#;
    let contract = ContractDraft::from_toml(text)
        .unwrap()
        .expand(&context())
        .unwrap()
        .contract;
    assert_eq!(contract.agent, "scripted");
    assert_eq!(contract.limits.max_turns, 3);
    assert_eq!(contract.retry.max_attempts, 3);
    let gate = |name: &str, run: GateCommand, must_pass, timeout_ms| Acceptance {
        name: name.to_owned(),
        run,
        must_pass,
        timeout_ms,
    };
    assert_eq!(
        contract.acceptance,
        [
            gate(
                "unit",
                GateCommand::Shell("cargo test".to_owned()),
                true,
                600_000
            ),
            gate(
                "lint",
                GateCommand::Program(vec!["cargo".to_owned(), "clippy".to_owned()]),
                false,
                5_000
            ),
        ]
    );
    assert_eq!(
        contract.acceptance[0].run.argv(),
        ["sh", "-c", "cargo test"]
    );
    let rules = contract.path_rules().unwrap();
    assert_eq!(rules.check(b"src/a"), PathVerdict::Allowed);
    assert_eq!(
        rules.check(b"src/Cargo.lock"),
        PathVerdict::Forbidden { rule: "*.lock" }
    );
}

#[test]
fn every_problem_is_reported_in_one_go_with_its_line() {
    let text = r#"schema = 2
task = "  "
agnet = "x"
base_ref = "deadbee"
allowed_paths = []
forbidden_paths = ["ok", "!no"]
max_turns = 3
allow_empty = "yes"
containment = "fully"
review = true
[[acceptance]]
name = "unit tests"
run = ""
timeout = 90
reuse_build = true
[[acceptance]]
run = 5
[limits]
max_turns = 0
wall_ms = "1h"
lease_ttl_ms = 5
[retry]
max_attempts = 4
[permissions]
shel = "none"
"#;
    assert_eq!(
        refused_toml(text),
        [
            "invalid_value 1:1: `schema` is 2; this version reads 1",
            "invalid_value 2:1: `task` is blank",
            "unknown_key 3:1: `agnet` is not a key of a contract; did you mean `agent`?",
            "invalid_value 4:1: `base_ref` is \"deadbee\", a shortened object id, which may come to mean another commit; give all of the id; if it is a branch, write refs/heads/NAME",
            "invalid_value 5:1: `allowed_paths` is empty, which would allow nothing; leave it out to allow every path",
            "invalid_value 6:26: `forbidden_paths[1]` starts with `!`: rules are never negated; use forbidden_paths to exclude",
            "unknown_key 7:1: `max_turns` is not a key of a contract; did you mean `limits.max_turns`?",
            "invalid_value 8:1: `allow_empty` has an invalid value: invalid type: string \"yes\", expected a boolean",
            "invalid_value 9:1: `containment` is \"fully\", which is no level of containment; write \"full\", \"reduced\" or \"none\"",
            "invalid_value 10:1: `review` has to be a table of keys and values",
            "invalid_value 12:1: `acceptance[0].name` is \"unit tests\", which is not a name; use 1 to 64 letters, digits, dots, dashes and underscores",
            "invalid_value 13:1: `acceptance[0].run` is blank, so it would run nothing",
            "invalid_value 14:1: `acceptance[0].timeout` has an invalid value: invalid type: integer `90`, expected a length of time with its unit, such as \"90s\" or \"10m\"",
            "not_enforced 15:1: `acceptance[0].reuse_build` is not enforced yet, so a contract may not rely on it; remove it",
            "missing_field 16:1: `acceptance[1].name` is missing; every gate needs a name",
            "invalid_value 17:1: `acceptance[1].run` has an invalid value: invalid type: integer `5`, expected a shell line as a string, or a program and its arguments as a list of strings",
            "limit_zero 19:1: `limits.max_turns` is 0, which would mean nothing or no limit at all; give a number of at least 1, or leave it out for the default",
            "invalid_value 20:1: `limits.wall_ms` is \"1h\", not a whole number from 1 to 2^53-1",
            "unknown_key 21:1: `limits.lease_ttl_ms` is not a key of a contract; the timing of leases belongs to the server",
            "invalid_value 23:1: `retry.max_attempts` is 4, more than 3",
            "not_enforced 24:2: `permissions` is not enforced yet, so a contract may not rely on it; remove it",
            "unknown_key 25:1: `permissions.shel` is not a key of a contract; did you mean `shell`?",
        ]
    );
}

#[test]
fn the_refusal_reads_well() {
    let error = ContractDraft::from_json(r#"{"schema": 1, "tsak": "x"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "contract is refused\n  unknown_key: `tsak` is not a key of a contract; did you mean `task`?\n  missing_field: `task` is missing; say what is to be done"
    );
}

#[test]
fn every_field_that_is_not_enforced_is_refused_by_name() {
    for (field, keys) in NOT_ENFORCED_FIELDS {
        let mut draft = json!({"schema": 1, "task": "x"});
        draft[field] = match keys.first() {
            Some(key) => json!({*key: true}),
            None => json!("anything"),
        };
        let error = ContractDraft::from_json(&draft.to_string()).unwrap_err();
        assert_eq!(
            lines(&error),
            [format!(
                "not_enforced `{field}` is not enforced yet, so a contract may not rely on it; remove it"
            )]
        );
    }
}

#[test]
fn broken_documents_are_named_by_line_and_column() {
    assert!(
        refused_toml("schema = 1\ntask =")[0].starts_with("invalid_toml 2:7: not valid TOML: ")
    );
    let json = ContractDraft::from_json("{\"schema\": 1,\n \"schema\": 1}").unwrap_err();
    assert_eq!(
        lines(&json),
        ["invalid_json 2:9: not valid JSON: key \"schema\" is given twice"]
    );
    let list = ContractDraft::from_json("[]").unwrap_err();
    assert_eq!(
        lines(&list),
        ["invalid_value the document has to be a table of keys and values"]
    );
    let big = ContractDraft::from_json(
        r#"{"schema": 1, "task": "x", "limits": {"wall_ms": 9007199254740992}}"#,
    );
    assert_eq!(
        lines(&big.unwrap_err()),
        [
            "invalid_value `limits.wall_ms` is 9007199254740992, beyond 2^53-1, and would be rounded when it is stored"
        ]
    );
    assert_eq!(
        refused_toml("schema = 1\ntask = 2026-01-01"),
        [
            "invalid_value 2:1: `task` is a TOML date or time, which is not taken here; put it in quotes if text is meant"
        ]
    );
}

#[test]
fn odd_values_are_refused_each_by_its_message() {
    let cases = [
        (
            "retry = { max_attempts = 0 }",
            "limit_zero",
            "so the job would never run",
        ),
        (
            "agent = \"a b\"",
            "invalid_value",
            "`agent` is \"a b\", which is not a name",
        ),
        (
            "base_ref = \"--upload-pack=x\"",
            "invalid_value",
            "is not the name of a ref",
        ),
        (
            "containment = \"fulll\"",
            "invalid_value",
            "is no level of containment",
        ),
        (
            "acceptance = { name = \"x\" }",
            "invalid_value",
            "has to be a list of tables",
        ),
        (
            "acceptance = [{name=\"a\",run=[]}]",
            "invalid_value",
            "`acceptance[0].run` is blank",
        ),
        (
            "acceptance = [{name=\"a\",run=\"x\",timeout=\"0s\"}]",
            "limit_zero",
            "`acceptance[0].timeout` is 0",
        ),
        (
            "acceptance = [{name=\"a\",run=\"x\",timeout=\"90\"}]",
            "invalid_value",
            "`90` is not a length of time",
        ),
        (
            "acceptance = [{name=\"a\",run=\"x\"},{name=\"a\",run=\"y\"}]",
            "invalid_value",
            "the name of an earlier gate",
        ),
        (
            "allowed_paths = [\"../x\"]",
            "invalid_value",
            "`allowed_paths[0]` has an empty, `.` or `..` component",
        ),
        (
            "allowed_paths = [1]",
            "invalid_value",
            "`allowed_paths[0]` has an invalid value: invalid type: integer `1`",
        ),
        ("limits = 5", "invalid_value", "`limits` has to be a table"),
    ];
    for (line, code, message) in cases {
        let found = refused_toml(&format!("schema = 1\ntask = \"x\"\n{line}"));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(
            found[0].starts_with(code) && found[0].contains(message),
            "{line}: {found:?}"
        );
    }
    let long = "x".repeat(MAX_TASK_BYTES + 1);
    let found = refused_toml(&format!("schema = 1\ntask = \"{long}\""));
    assert!(
        found[0].contains("`task` is 262145 bytes long, more than 262144"),
        "{found:?}"
    );
    let nul = ContractDraft::from_json(r#"{"schema": 1, "task": "a\u0000"}"#).unwrap_err();
    assert_eq!(
        lines(&nul),
        ["invalid_value `task` contains a NUL character"]
    );
}

#[test]
fn what_expansion_needs_is_asked_for() {
    let draft = ContractDraft::of_task("x");
    let nobody = ContractContext {
        default_agent: None,
        base_commit: "HEAD".to_owned(),
        ..context()
    };
    assert_eq!(
        lines(&draft.expand(&nobody).unwrap_err()),
        [
            "invalid_value the base resolved to \"HEAD\", which is not an object id",
            "missing_field no agent is named and there is no default one; give --agent, or set `agent` in the contract, dogwatch.toml or the user configuration",
        ]
    );
    let zero = ContractContext {
        limit_layers: vec![LimitLayer {
            origin: LimitOrigin::Project,
            limits: LimitsDraft {
                max_turns: Some(0),
                ..LimitsDraft::default()
            },
        }],
        ..context()
    };
    assert_eq!(
        lines(&draft.expand(&zero).unwrap_err()),
        [
            "limit_zero `limits.max_turns` is 0 (project); give a number of at least 1, or leave it out for the default"
        ]
    );
    let blank = ContractDraft::of_task(" ").expand(&context()).unwrap_err();
    assert_eq!(lines(&blank), ["invalid_value `task` is blank"]);
}

#[test]
fn a_contract_adds_to_the_projects_gates_and_cannot_drop_one() {
    let gate = |name: &str, run: &str| AcceptanceDraft {
        name: name.to_owned(),
        run: GateCommand::Shell(run.to_owned()),
        must_pass: None,
        timeout: None,
    };
    let project = ContractContext {
        project_acceptance: vec![gate("unit", "make test"), gate("lint", "make lint")],
        ..context()
    };
    let names = |draft: &ContractDraft| -> Vec<String> {
        let contract = draft.expand(&project).unwrap().contract;
        contract
            .acceptance
            .iter()
            .map(|gate| format!("{}: {}", gate.name, gate.run))
            .collect()
    };
    let mut draft = ContractDraft::of_task("x");
    assert_eq!(names(&draft), ["unit: make test", "lint: make lint"]);
    draft.acceptance = Some(vec![]);
    assert_eq!(names(&draft), ["unit: make test", "lint: make lint"]);
    draft.acceptance = Some(vec![gate("extra", "true"), gate("unit", "make quick")]);
    assert_eq!(
        names(&draft),
        ["unit: make quick", "lint: make lint", "extra: true"]
    );
}

#[test]
fn limits_of_the_contract_win_and_say_where_they_come_from() {
    let below = |origin, max_turns| LimitLayer {
        origin,
        limits: LimitsDraft {
            max_turns: Some(max_turns),
            ..LimitsDraft::default()
        },
    };
    let mut draft = ContractDraft::of_task("x");
    let surroundings = ContractContext {
        model_class: ModelClass::SmallLocal,
        limit_layers: vec![below(LimitOrigin::Job, 9), below(LimitOrigin::Project, 8)],
        ..context()
    };
    let from_job = draft.expand(&surroundings).unwrap();
    assert_eq!(from_job.contract.limits.max_turns, 9);
    assert_eq!(from_job.contract.limits.stall_window_ms, 240_000);
    draft.limits = Some(LimitsDraft {
        max_turns: Some(2),
        ..LimitsDraft::default()
    });
    let own = draft.expand(&surroundings).unwrap();
    assert_eq!(own.contract.limits.max_turns, 2);
    assert_eq!(own.limits.origins["max_turns"], LimitOrigin::Contract);
    assert_eq!(own.limits.origins["wall_ms"], LimitOrigin::Default);
}

#[test]
fn stored_bytes_that_were_never_accepted_are_refused() {
    let contract = ContractDraft::of_task("x")
        .expand(&context())
        .unwrap()
        .contract;
    let parse = |bytes: &[u8]| StoredContract::parse(bytes, Sha256Digest::of(bytes));
    let value = serde_json::to_value(&contract).unwrap();

    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    assert!(matches!(
        parse(&pretty),
        Err(StoredContractError::NotCanonical)
    ));
    let twice = String::from_utf8(value_to_bytes(&value).unwrap())
        .unwrap()
        .replacen("{", "{\"acceptance\":[],", 1);
    assert!(matches!(
        parse(twice.as_bytes()),
        Err(StoredContractError::NotCanonical)
    ));
    assert!(matches!(
        parse(b"\xff"),
        Err(StoredContractError::NotCanonical)
    ));

    let with = |pointer: &str, new: Value| {
        let mut changed = value.clone();
        *changed.pointer_mut(pointer).unwrap() = new;
        parse(&value_to_bytes(&changed).unwrap())
    };
    let mut extra = value.clone();
    extra["policy"] = json!("none");
    let extra = parse(&value_to_bytes(&extra).unwrap());
    assert!(matches!(extra, Err(StoredContractError::NotAContract(_))));
    for (pointer, new) in [
        ("/schema", json!(2)),
        ("/base_commit", json!("main")),
        ("/allowed_paths", json!([])),
        ("/limits/max_turns", json!(0)),
        ("/limits/turn_budget_ms", json!(10)),
        ("/retry/max_attempts", json!(9)),
        ("/task", json!("")),
    ] {
        let refused = with(pointer, new);
        assert!(
            matches!(refused, Err(StoredContractError::Invalid(_))),
            "{pointer}: {refused:?}"
        );
    }
    assert!(with("/task", json!("y")).is_ok());
}

#[test]
fn the_schemas_use_only_what_the_key_check_follows() {
    for schema in [contract_schema(), stored_contract_schema()] {
        assert_eq!(strict::unsupported(schema), [""; 0]);
    }
}

#[test]
fn the_committed_schemas_are_the_generated_ones() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    for (name, schema) in [
        ("contract.schema.json", contract_schema()),
        ("stored-contract.schema.json", stored_contract_schema()),
    ] {
        let path = directory.join(name);
        let generated = format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
        if std::env::var_os("DOGWATCH_WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "{} is out of date: run `cargo xtask schema`",
            path.display()
        );
    }
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,8}"
}

fn gates() -> impl Strategy<Value = Vec<AcceptanceDraft>> {
    let command = prop_oneof![
        "[a-z][ -~é\n]{0,20}".prop_map(GateCommand::Shell),
        proptest::collection::vec("[a-z][ -~]{0,8}", 1..4).prop_map(GateCommand::Program),
    ];
    let gate = (
        command,
        proptest::option::of(any::<bool>()),
        proptest::option::of((1_u64..10_000_000).prop_map(Timeout::from_millis)),
    );
    proptest::collection::btree_map(word(), gate, 0..4).prop_map(|gates| {
        let drafts = gates
            .into_iter()
            .map(|(name, (run, must_pass, timeout))| AcceptanceDraft {
                name,
                run,
                must_pass,
                timeout,
            });
        drafts.collect()
    })
}

prop_compose! {
    fn drafts()(
        task in "[a-z][^\0]{0,40}",
        agent in proptest::option::of(word()),
        base_ref in proptest::option::of("(feature|release)/[g-z]{1,8}"),
        allowed_paths in proptest::option::of(proptest::collection::vec("[*]?[a-z]{1,6}(/[a-z?]{1,6}){0,2}(/[*][*])?", 1..3)),
        forbidden_paths in proptest::option::of(proptest::collection::vec("[a-z]{1,6}", 0..3)),
        acceptance in proptest::option::of(gates()),
        allow_empty in proptest::option::of(any::<bool>()),
        containment in proptest::option::of(prop_oneof![
            Just(Containment::None),
            Just(Containment::Reduced),
            Just(Containment::Full),
        ]),
        max_turns in proptest::option::of(1_u64..1 << 53),
        turn_budget_ms in proptest::option::of(1_u64..1_000_000),
        max_attempts in proptest::option::of(1_u32..=3),
        keep_workspace in proptest::option::of(any::<bool>()),
        approve_before_start in proptest::option::of(any::<bool>()),
        approval_ms in proptest::option::of(0_u64..1 << 40),
    ) -> ContractDraft {
        ContractDraft {
            schema: 1,
            task,
            agent,
            base_ref,
            allowed_paths,
            forbidden_paths,
            acceptance,
            allow_empty,
            keep_workspace,
            containment,
            limits: Some(LimitsDraft { max_turns, turn_budget_ms, ..LimitsDraft::default() }),
            retry: Some(RetryDraft { max_attempts }),
            review: Some(ReviewDraft {
                approve_before_start,
                approval_timeout: approval_ms.map(Timeout::from_millis),
            }),
        }
    }
}

/// The paths of all objects in a value.
fn objects(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(pointer.to_owned());
            for (key, field) in fields {
                objects(field, &format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                objects(item, &format!("{pointer}/{at}"), found);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn toml_and_json_spellings_hash_alike(draft in drafts()) {
        let toml = ContractDraft::from_toml(&toml::to_string(&draft).unwrap()).unwrap();
        let json = ContractDraft::from_json(&serde_json::to_string(&draft).unwrap()).unwrap();
        let hash = |draft: &ContractDraft| {
            draft.expand(&context()).unwrap().contract.to_stored().unwrap().hash
        };
        prop_assert_eq!(hash(&toml), hash(&json));
        prop_assert_eq!(&toml, &json);
        prop_assert_eq!(&toml, &draft);
    }

    #[test]
    fn expanding_what_is_expanded_changes_nothing(draft in drafts(), project in gates()) {
        let context = ContractContext { project_acceptance: project, ..context() };
        let once = draft.expand(&context).unwrap().contract;
        let again = once.to_draft().expand(&context).unwrap();
        prop_assert_eq!(&again.contract, &once);
        prop_assert_eq!(again.limits.notes, vec![]);
        let stored = once.to_stored().unwrap();
        prop_assert_eq!(StoredContract::parse(&stored.bytes, stored.hash).unwrap(), once);
    }

    #[test]
    fn an_unknown_key_is_named_at_any_depth(draft in drafts(), at in any::<prop::sample::Index>()) {
        let mut value = serde_json::to_value(&draft).unwrap();
        let mut places = Vec::new();
        objects(&value, "", &mut places);
        let place = at.get(&places);
        value.pointer_mut(place).unwrap()["zz_unheard_of"] = json!(1);
        let error = ContractDraft::from_json(&value.to_string()).unwrap_err();
        prop_assert_eq!(error.problems.len(), 1);
        prop_assert_eq!(error.problems[0].code, ProblemCode::UnknownKey);
        let mut expected = String::new();
        for part in place.split('/').skip(1).chain(["zz_unheard_of"]) {
            expected = match part.parse() {
                Ok(position) => strict::index(&expected, position),
                Err(_) => strict::join(&expected, part),
            };
        }
        prop_assert_eq!(&error.problems[0].path, &expected);
    }

    #[test]
    fn any_change_to_stored_bytes_is_refused(
        draft in drafts(), at in any::<prop::sample::Index>(), flip in 1_u8..=255, kind in 0..3,
    ) {
        let stored = draft.expand(&context()).unwrap().contract.to_stored().unwrap();
        let mut bytes = stored.bytes.clone();
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] ^= flip,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, flip),
        }
        let refused = StoredContract::parse(&bytes, stored.hash);
        prop_assert!(matches!(refused, Err(StoredContractError::Hash { .. })), "{refused:?}");
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}", start in "(schema = 1\ntask = \"x\"\n)?") {
        let _ = ContractDraft::from_toml(&format!("{start}{text}"));
        let _ = ContractDraft::from_json(&text);
    }
}
