//! What configuration promises, from the texts of its layers to the profile of a run.

use std::path::PathBuf;

use dogwatch_core::canonical::Sha256Digest;
use dogwatch_core::contract::ContractDraft;
use dogwatch_core::limits::{LimitOrigin, LimitsDraft, ModelClass};
use dogwatch_core::strict;
use proptest::prelude::*;

use super::*;

const USER: &str = r#"agent = "coder"
model_class = "mid"

[agents.coder]
driver = "exec"
command = ["coder", "--unattended"]
env = ["CODER_KEY"]

[agents.other]
driver = "exec"
command = ["other"]

[limits]
max_turns = 2
wall_ms = 60000
"#;

const PROJECT: &str = r#"agent = "helper"

[agents.helper]
driver = "exec"
command = ["./tools/helper"]

[[acceptance]]
name = "unit"
run = "make test"
timeout = "5m"

[limits]
max_turns = 3
"#;

fn source(path: &str, text: &str) -> Option<Source> {
    Some(Source {
        path: path.to_owned(),
        text: text.to_owned(),
    })
}

fn user(text: &str) -> Layers {
    Layers {
        user: source("config.toml", text),
        ..Layers::default()
    }
}

fn project(text: &str) -> Layers {
    Layers {
        project: source("dogwatch.toml", text),
        ..Layers::default()
    }
}

fn env(variables: &[(&str, &str)]) -> Layers {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Layers {
        env: variables.iter().map(pair).collect(),
        ..Layers::default()
    }
}

fn both() -> Layers {
    Layers {
        user: source("config.toml", USER),
        project: source("dogwatch.toml", PROJECT),
        ..Layers::default()
    }
}

fn refused(layers: &Layers) -> Vec<String> {
    let error = layers.load().unwrap_err();
    error
        .problems
        .iter()
        .map(|problem| format!("{} {problem}", problem.problem.code))
        .collect()
}

fn show(config: &Config) -> Vec<String> {
    config
        .settings()
        .iter()
        .map(|setting| format!("{} = {}  # {}", setting.key, setting.value, setting.origin))
        .collect()
}

#[test]
fn without_any_layer_there_are_defaults() {
    let config = Layers::default().load().unwrap();
    assert_eq!(config.agent, None);
    assert_eq!(config.model_class, ModelClass::Frontier);
    assert!(config.agents.is_empty() && config.acceptance.is_empty() && config.warnings.is_empty());
    assert!(!config.run.keep_workspace);
    assert_eq!(config.limits.limits.max_turns, 6);
    assert!(
        config
            .settings()
            .iter()
            .all(|setting| setting.origin.layer == Layer::Default)
    );
}

#[test]
fn every_value_says_where_it_comes_from() {
    let mut layers = both();
    layers.env = env(&[("DOGWATCH_LIMITS_MAX_TURNS", "4"), ("PATH", "/bin")]).env;
    layers.flags.keep_workspace = Some(true);
    layers.flags.limits.kill_grace_ms = Some(500);
    assert_eq!(
        show(&layers.load().unwrap()),
        [
            r#"acceptance = [{"name":"unit","run":"make test","timeout":"5m"}]  # project (dogwatch.toml:7)"#,
            r#"agent = "helper"  # project (dogwatch.toml:1)"#,
            r#"agents.coder.command = ["coder","--unattended"]  # user (config.toml:6)"#,
            r#"agents.coder.driver = "exec"  # user (config.toml:5)"#,
            r#"agents.coder.env = ["CODER_KEY"]  # user (config.toml:7)"#,
            r#"agents.helper.command = ["./tools/helper"]  # project (dogwatch.toml:5)"#,
            r#"agents.helper.driver = "exec"  # project (dogwatch.toml:4)"#,
            r#"agents.helper.env = []  # project (dogwatch.toml:3)"#,
            r#"agents.other.command = ["other"]  # user (config.toml:11)"#,
            r#"agents.other.driver = "exec"  # user (config.toml:10)"#,
            r#"agents.other.env = []  # user (config.toml:9)"#,
            "limits.gate_timeout_ms = 600000  # default",
            "limits.initial_backoff_ms = 1000  # default",
            "limits.kill_grace_ms = 500  # flag",
            "limits.max_retry_backoff_ms = 60000  # default",
            "limits.max_stall_restarts = 2  # default",
            "limits.max_turns = 4  # environment (DOGWATCH_LIMITS_MAX_TURNS)",
            "limits.output_bytes = 16777216  # default",
            "limits.response_bytes = 1048576  # default",
            "limits.stall_window_ms = 120000  # default",
            "limits.turn_budget_ms = 300000  # default",
            "limits.wall_ms = 60000  # user (config.toml:15)",
            r#"model_class = "mid"  # user (config.toml:2)"#,
            "run.containment = \"reduced\"  # default",
            "run.keep_workspace = true  # flag",
        ]
    );
}

#[test]
fn flags_win_over_variables_over_the_project_over_the_user() {
    let mut layers = both();
    let turns = |layers: &Layers| {
        let config = layers.load().unwrap();
        (
            config.limits.limits.max_turns,
            config.limits.origins["max_turns"],
            config.agent.clone().unwrap(),
        )
    };
    assert_eq!(
        turns(&layers),
        (3, LimitOrigin::Project, "helper".to_owned())
    );
    layers.env = env(&[
        ("DOGWATCH_LIMITS_MAX_TURNS", "4"),
        ("DOGWATCH_AGENT", "other"),
    ])
    .env;
    assert_eq!(
        turns(&layers),
        (4, LimitOrigin::Environment, "other".to_owned())
    );
    layers.flags.limits.max_turns = Some(5);
    layers.flags.agent = Some("coder".to_owned());
    assert_eq!(turns(&layers), (5, LimitOrigin::Job, "coder".to_owned()));
    layers.project = None;
    layers.env.clear();
    layers.flags = FlagValues::default();
    assert_eq!(turns(&layers), (2, LimitOrigin::User, "coder".to_owned()));
}

#[test]
fn everything_wrong_in_every_layer_is_named_and_nothing_is_fallen_back_on() {
    let mut layers = user("agnet = \"x\"\n[limits]\nmax_turn = 1\nwall_ms = 0\n");
    layers.project = source(
        "dogwatch.toml",
        r#"policy = "strict"
max_turns = 3
[agents.helper]
driver = "exec"
comand = ["x"]
env = ["AWS_SECRET_ACCESS_KEY"]
[agents."a b"]
driver = "claude"
command = []
[run]
keep_workspace = "yes"
[[acceptance]]
name = "unit"
run = "true"
reuse_build = true
"#,
    );
    layers.env = env(&[
        ("DOGWATCH_LIMITS_MAX_TURNS", "0"),
        ("DOGWATCH_MODEL_CLASS", "huge"),
        ("DOGWATCH_RUN_KEEP_WORKSPACE", "maybe"),
        ("DOGWATCH_AGENT", "../x"),
    ])
    .env;
    assert_eq!(
        refused(&layers),
        [
            "unknown_key config.toml:1:1: `agnet` is not a key of the configuration; did you mean `agent`?",
            "unknown_key config.toml:3:1: `limits.max_turn` is not a key of the configuration; did you mean `max_turns`?",
            "limit_zero config.toml:4:1: `limits.wall_ms` is 0, which would mean nothing or no limit at all; give a number of at least 1, or leave it out for the default",
            "not_enforced dogwatch.toml:1:1: `policy` is not enforced yet, so the configuration may not rely on it; remove it",
            "unknown_key dogwatch.toml:2:1: `max_turns` is not a key of the configuration; did you mean `limits.max_turns`?",
            "missing_field dogwatch.toml:3:9: `agents.helper.command` is missing; give the program and its arguments as a list",
            "unknown_key dogwatch.toml:5:1: `agents.helper.comand` is not a key of the configuration; did you mean `command`?",
            "user_only dogwatch.toml:6:1: `agents.helper.env` may only stand in the user's configuration: it would pass variables of the host to a command that the repository chose",
            "invalid_value dogwatch.toml:7:9: `agents.\"a b\"` does not have a name that can be used; use 1 to 64 letters, digits, dots, dashes and underscores",
            "not_enforced dogwatch.toml:8:1: `agents.\"a b\".driver` = \"claude\" is not available yet; \"exec\" runs any command, that agent's own one-shot mode included",
            "invalid_value dogwatch.toml:9:1: `agents.\"a b\".command` is blank, so it would run nothing",
            "invalid_value dogwatch.toml:11:1: `run.keep_workspace` has an invalid value: invalid type: string \"yes\", expected a boolean",
            "not_enforced dogwatch.toml:15:1: `acceptance[0].reuse_build` is not enforced yet, so the configuration may not rely on it; remove it",
            "limit_zero environment: `DOGWATCH_LIMITS_MAX_TURNS` is 0, which would mean nothing or no limit at all; give a number of at least 1, or leave it out for the default",
            "invalid_value environment: `DOGWATCH_MODEL_CLASS` is \"huge\", which is no class of models; write frontier, mid or small_local",
            "invalid_value environment: `DOGWATCH_RUN_KEEP_WORKSPACE` is \"maybe\", neither true nor false",
            "invalid_value environment: `DOGWATCH_AGENT` is \"../x\", which is not a name; use 1 to 64 letters, digits, dots, dashes and underscores",
        ]
    );
}

#[test]
fn the_refusal_reads_well() {
    let error = project("agnet = 1").load().unwrap_err();
    assert_eq!(
        error.to_string(),
        "configuration is refused\n  unknown_key: dogwatch.toml:1:1: `agnet` is not a key of the configuration; did you mean `agent`?"
    );
}

#[test]
fn odd_values_are_refused_each_by_its_message() {
    let agent = |fields: &str| format!("[agents.a]\n{fields}");
    let cases = [
        ("agent =".to_owned(), "invalid_toml", "not valid TOML"),
        (
            "policies = []".to_owned(),
            "not_enforced",
            "`policies` is not enforced yet",
        ),
        (
            "[rules]\nx = 1".to_owned(),
            "not_enforced",
            "`rules` is not enforced yet",
        ),
        (
            "[[acceptance]]\nname = \"a\"\nrun = \"x\"".to_owned(),
            "project_only",
            "`acceptance` belongs to a project",
        ),
        (
            "agents = 1".to_owned(),
            "invalid_value",
            "`agents` has to be a table",
        ),
        (
            "model_class = \"big\"".to_owned(),
            "invalid_value",
            "unknown variant `big`",
        ),
        (
            agent("driver=\"exce\"\ncommand=[\"x\"]"),
            "invalid_value",
            "did you mean \"exec\"?",
        ),
        (
            agent("driver=\"zzz\"\ncommand=[\"x\"]"),
            "invalid_value",
            "write \"exec\"",
        ),
        (
            agent("command=[\"x\"]"),
            "missing_field",
            "add `driver = \"exec\"`",
        ),
        (
            agent("driver=\"exec\"\ncommand=[\" \"]"),
            "invalid_value",
            "would run nothing",
        ),
        (
            agent("driver=\"exec\"\ncommand=\"x\""),
            "invalid_value",
            "`agents.a.command` has an invalid value",
        ),
        (
            agent("driver=\"exec\"\ncommand=[\"x\"]\nenv=[\"A=1\"]"),
            "invalid_value",
            "`agents.a.env[0]` is \"A=1\"",
        ),
        (
            agent("driver=\"exec\"\ncommand=[\"x\"]\nenv=[\"DOGWATCH_HOME\"]"),
            "invalid_value",
            "which dogwatch itself sets",
        ),
    ];
    for (text, code, message) in cases {
        let found = refused(&user(&text));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(
            found[0].starts_with(code) && found[0].contains(message),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn a_flag_of_zero_is_refused_too() {
    let mut layers = Layers::default();
    layers.flags.limits.max_turns = Some(0);
    assert_eq!(
        refused(&layers),
        [
            "limit_zero flags: `limits.max_turns` is 0 (job); give a number of at least 1, or leave it out for the default"
        ]
    );
}

#[test]
fn unknown_variables_are_warned_about_and_reserved_ones_are_not() {
    let layers = env(&[
        ("DOGWATCH_HOME", "/d"),
        ("DOGWATCH_RUN_ID", "run_x"),
        ("DOGWATCH_LIMITS_WALL_MS", ""),
        ("DOGWATCH_LIMIT_MAX_TURNS", "1"),
        ("DOGWATCH_LIMITS_LEASE_TTL_MS", "1"),
        ("DOGWATCH_LIMITS_max_turns", "1"),
        ("DOGWATCH_ZEBRA", "1"),
        ("HOME", "/h"),
    ]);
    assert_eq!(
        layers.load().unwrap().warnings,
        [
            "DOGWATCH_LIMIT_MAX_TURNS is set and means nothing to dogwatch; did you mean DOGWATCH_LIMITS_MAX_TURNS?",
            "DOGWATCH_LIMITS_LEASE_TTL_MS is set and means nothing to dogwatch",
            "DOGWATCH_LIMITS_max_turns is set and means nothing to dogwatch; did you mean DOGWATCH_LIMITS_MAX_TURNS?",
            "DOGWATCH_ZEBRA is set and means nothing to dogwatch",
        ]
    );
}

#[test]
fn a_project_never_inherits_the_variables_of_the_users_agent() {
    let mut layers = user(USER);
    layers.project = source(
        "dogwatch.toml",
        "[agents.coder]\ndriver = \"exec\"\ncommand = [\"./steal\"]\n",
    );
    let config = layers.load().unwrap();
    let agent = config.agent("coder").unwrap();
    assert_eq!(agent.command, ["./steal"]);
    assert!(agent.env.is_empty());
    assert_eq!(
        config.warnings,
        [
            "the project defines agent coder anew, so the variables the user configuration passes to it are not passed"
        ]
    );
}

#[test]
fn changed_limits_are_said() {
    let config = project("[limits]\nturn_budget_ms = 10\n").load().unwrap();
    assert_eq!(
        config.warnings,
        [
            "turn_budget_ms = 10 (project) is below the minimum and was raised to 1000",
            "stall_window_ms = 120000 is longer than the turn budget and was clipped to 1000",
        ]
    );
}

#[test]
fn an_agent_nobody_configured_is_named() {
    let config = both().load().unwrap();
    let message = |name: &str| config.agent(name).unwrap_err().to_string();
    assert_eq!(
        message("codr"),
        "agent \"codr\" is not configured; did you mean \"coder\"?"
    );
    assert_eq!(
        message("zzz"),
        "agent \"zzz\" is not configured; there is coder, helper, other"
    );
    let none = Layers::default()
        .load()
        .unwrap()
        .agent("x")
        .unwrap_err()
        .to_string();
    assert_eq!(
        none,
        "agent \"x\" is not configured; add [agents.NAME] to dogwatch.toml or the user configuration"
    );
}

#[test]
fn contracts_are_expanded_with_the_configuration() {
    let config = both().load().unwrap();
    let context = config.contract_context("0123456789abcdef0123456789abcdef01234567");
    let mut draft = ContractDraft::of_task("x");
    draft.limits = Some(LimitsDraft {
        wall_ms: Some(5_000),
        ..LimitsDraft::default()
    });
    let expanded = draft.expand(&context).unwrap();
    let contract = expanded.contract;
    assert_eq!(contract.agent, "helper");
    assert_eq!(
        (contract.limits.max_turns, contract.limits.wall_ms),
        (3, 5_000)
    );
    assert_eq!(contract.acceptance[0].timeout_ms, 300_000);
    assert_eq!(expanded.limits.origins["max_turns"], LimitOrigin::Project);
    assert_eq!(expanded.limits.origins["wall_ms"], LimitOrigin::Contract);
}

#[test]
fn a_profile_holds_what_applies_to_its_run_and_reads_back() {
    let config = both().load().unwrap();
    let profile = config.profile("coder").unwrap();
    assert_eq!(profile.agent.env, ["CODER_KEY"]);
    assert!(profile.origins.contains_key("agents.coder.command"));
    assert!(
        !profile
            .origins
            .keys()
            .any(|key| key.contains("helper") || key == "acceptance")
    );
    assert_eq!(
        profile.sources[1].sha256,
        Sha256Digest::of(PROJECT.as_bytes())
    );
    let stored = profile.to_stored().unwrap();
    assert_eq!(
        StoredProfile::parse(&stored.bytes, stored.hash).unwrap(),
        profile
    );
    assert_eq!(
        config.profile("coder").unwrap().to_stored().unwrap(),
        stored
    );
    assert!(config.profile("nobody").is_err());

    let parse =
        |text: String| StoredProfile::parse(text.as_bytes(), Sha256Digest::of(text.as_bytes()));
    let text = String::from_utf8(stored.bytes.clone()).unwrap();
    assert!(matches!(
        parse(format!("{text}\n")),
        Err(StoredProfileError::NotCanonical)
    ));
    assert!(matches!(
        parse("{}".to_owned()),
        Err(StoredProfileError::NotAProfile(_))
    ));
    let later = text.replace("\"schema_version\":1", "\"schema_version\":2");
    assert!(matches!(parse(later), Err(StoredProfileError::Version(2))));
}

#[test]
fn a_changed_project_file_changes_the_profile() {
    let hash = |layers: &Layers| {
        layers
            .load()
            .unwrap()
            .profile("helper")
            .unwrap()
            .to_stored()
            .unwrap()
            .hash
    };
    let before = both();
    let mut after = both();
    after
        .project
        .as_mut()
        .unwrap()
        .text
        .push_str("\n# a comment\n");
    assert_ne!(hash(&before), hash(&after));
}

#[test]
fn the_schemas_use_only_what_the_key_check_follows() {
    for schema in [config_schema(), profile_schema()] {
        assert_eq!(strict::unsupported(schema), [""; 0]);
    }
}

#[test]
fn the_committed_schemas_are_the_generated_ones() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    for (name, schema) in [
        ("config.schema.json", config_schema()),
        ("profile.schema.json", profile_schema()),
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

proptest! {
    #[test]
    fn any_change_to_a_stored_profile_is_refused(
        at in any::<prop::sample::Index>(), flip in 1_u8..=255, cut in any::<bool>(),
    ) {
        let stored = both().load().unwrap().profile("coder").unwrap().to_stored().unwrap();
        let mut bytes = stored.bytes.clone();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= flip;
        }
        let refused = StoredProfile::parse(&bytes, stored.hash);
        prop_assert!(matches!(refused, Err(StoredProfileError::Hash { .. })), "{refused:?}");
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", name in "DOGWATCH_[A-Za-z_]{0,20}", value in "\\PC{0,10}") {
        let mut layers = project(&text);
        layers.env = vec![(name, value)];
        let _ = layers.load();
    }

    #[test]
    fn every_limit_has_its_variable(value in 2_000_u64..1 << 53, at in any::<prop::sample::Index>()) {
        let settable: Vec<_> = dogwatch_core::limits::LIMITS.iter().filter(|limit| limit.settable).collect();
        let limit = at.get(&settable);
        let variable = format!("DOGWATCH_LIMITS_{}", limit.name.to_uppercase());
        let config = env(&[(&variable, &value.to_string())]).load().unwrap();
        let expected = if limit.name == "stall_window_ms" { value.min(300_000) } else { value };
        prop_assert_eq!(config.limits.limits.get(limit.name), Some(expected));
        prop_assert_eq!(config.limits.origins[limit.name], LimitOrigin::Environment);
    }
}

#[test]
fn a_project_asks_for_more_containment_and_never_for_less() {
    use dogwatch_core::contract::Containment;
    let with = |user: &str, project: &str, flag| {
        let source = |path: &str, text: &str| {
            (!text.is_empty()).then(|| Source {
                path: path.to_owned(),
                text: format!("[run]\ncontainment = \"{text}\"\n"),
            })
        };
        Layers {
            user: source("config.toml", user),
            project: source("dogwatch.toml", project),
            flags: FlagValues {
                containment: flag,
                ..FlagValues::default()
            },
            ..Layers::default()
        }
        .load()
        .map(|config| config.run.containment)
    };
    let (none, reduced, full) = (Containment::None, Containment::Reduced, Containment::Full);
    for (user, project, flag, wanted) in [
        ("", "", None, reduced),
        ("none", "", None, none),
        ("none", "reduced", None, reduced),
        ("", "full", None, full),
        ("full", "", Some(none), none),
        ("", "full", Some(none), none),
    ] {
        assert_eq!(
            with(user, project, flag).unwrap(),
            wanted,
            "{user} {project}"
        );
    }
    for (user, project) in [("", "none"), ("full", "reduced"), ("full", "none")] {
        let error = with(user, project, None).unwrap_err().to_string();
        assert!(error.contains("less than what applies"), "{error}");
    }
    assert!(with("fulll", "", None).is_err());
}
