//! `init`, and what `config` and `doctor` say of a repository while it is being prepared.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use dogwatch_testkit::{Home, Outcome, Repo};
use serde_json::Value;

use super::tree::{assert_same, tree};
use crate::support::program;

struct Desk {
    home: Home,
    repo: Repo,
}

impl Desk {
    fn new(repo: Repo) -> Self {
        Self {
            home: Home::new(),
            repo,
        }
    }

    fn dogwatch(&self, args: &[&str]) -> Outcome {
        let mut command = self.home.command(program());
        command.args(args).current_dir(self.repo.path());
        if args[0] == "doctor" {
            // What the machine lacks would be a failure where runs need it.
            command.env("DOGWATCH_RUN_CONTAINMENT", "none");
        }
        self.home.run(&mut command)
    }

    fn dogwatch_with(&self, variable: (&str, &str), args: &[&str]) -> Outcome {
        let mut command = self.home.command(program());
        command
            .args(args)
            .env(variable.0, variable.1)
            .current_dir(self.repo.path());
        self.home.run(&mut command)
    }

    fn config(&self) -> String {
        fs::read_to_string(self.repo.path().join("dogwatch.toml")).expect("dogwatch.toml")
    }
}

/// The value of a key of `config show --json`.
#[track_caller]
fn setting(shown: &Outcome, key: &str) -> (Value, Value) {
    let document: Value = serde_json::from_slice(&shown.stdout).expect("a document");
    let settings = document["settings"].as_array().expect("settings");
    let found = settings.iter().find(|setting| setting["key"] == key);
    let found = found.unwrap_or_else(|| panic!("no {key} in {document}"));
    (found["value"].clone(), found["origin"].clone())
}

#[test]
fn init_writes_a_valid_configuration_with_the_gate_the_files_suggest() {
    let desk = Desk::new(Repo::with_commit());
    desk.repo
        .write("Cargo.toml", "[package]\n")
        .commit("a crate");
    let made = desk.dogwatch(&["init"]);
    made.expect_code(0);
    for part in [
        "project      prj_",
        "cargo test (Cargo.toml was found)",
        "git add dogwatch.toml",
    ] {
        assert!(made.out().contains(part), "{part}: {made:?}");
    }
    let mode = fs::metadata(desk.home.data()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    let shown = desk.dogwatch(&["config", "show"]);
    shown.expect_code(0);
    assert!(shown.err().contains("is not committed"), "{shown:?}");
    assert!(!shown.out().contains("cargo test"), "{shown:?}");
    desk.repo.commit("configure");
    let shown = desk.dogwatch(&["config", "show", "--json"]);
    assert_eq!(shown.err(), "");
    let (gates, origin) = setting(&shown, "acceptance");
    assert_eq!(gates[0]["run"], "cargo test");
    assert_eq!(origin["layer"], "project");
    assert_eq!(desk.repo.status(), "");
}

#[test]
fn init_again_changes_nothing_and_says_so() {
    let desk = Desk::new(Repo::with_commit());
    desk.dogwatch(&["init"]).expect_code(0);
    let first = desk.dogwatch(&["init", "--json"]);
    first.expect_code(0);
    let written = desk.config();
    fs::write(
        desk.repo.path().join("dogwatch.toml"),
        format!("{written}\n# mine\n"),
    )
    .unwrap();
    let before = tree(desk.repo.root());
    let again = desk.dogwatch(&["init", "--json"]);
    again.expect_code(0);
    assert_same(&before, &tree(desk.repo.root()), "the second init");
    assert_eq!(first.out(), again.out(), "one project for ever");
    let document: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(document["created"], false);
    assert!(desk.dogwatch(&["init"]).out().contains("there already"));
}

#[test]
fn linked_worktrees_are_one_project() {
    let desk = Desk::new(Repo::with_commit());
    let linked = desk.repo.worktree_add("side");
    let project = |directory: &std::path::Path| {
        let made = desk.dogwatch(&["init", "--json", "-C", directory.to_str().unwrap()]);
        made.expect_code(0);
        let document: Value = serde_json::from_slice(&made.stdout).unwrap();
        document["project_id"].clone()
    };
    assert_eq!(project(&linked), project(desk.repo.path()));
}

#[test]
fn init_outside_a_repository_is_refused_and_writes_nothing() {
    for repo in [None, Some(Repo::init())] {
        let home = Home::new();
        let directory = repo
            .as_ref()
            .map_or_else(|| home.root().join("home"), |repo| repo.path().to_owned());
        let before = (tree(home.root()), tree(&directory));
        let mut command = home.command(program());
        command.arg("init").current_dir(&directory);
        let refused = home.run(&mut command);
        refused.expect_code(1);
        assert!(refused.err().contains("\n  next: "), "{refused:?}");
        assert_same(&before.0, &tree(home.root()), "init");
        assert_same(&before.1, &tree(&directory), "init");
    }
}

#[test]
fn each_value_says_where_it_comes_from() {
    let desk = Desk::new(Repo::with_commit());
    desk.home
        .write_config("model_class = \"mid\"\n[limits]\nmax_turns = 2\nwall_ms = 60000\n");
    desk.repo
        .write(
            "dogwatch.toml",
            "[limits]\n\nmax_turns = 3\nkill_grace_ms = 900\n",
        )
        .commit("configure");
    let variable = ("DOGWATCH_LIMITS_KILL_GRACE_MS", "700");
    let shown = desk.dogwatch_with(variable, &["config", "show", "--json"]);
    shown.expect_code(0);
    let expect = |key: &str, value: Value, layer: &str, line: Value| {
        let (found, origin) = setting(&shown, key);
        assert_eq!(
            (found, &origin["layer"], &origin["line"]),
            (value, &Value::from(layer), &line),
            "{key}"
        );
    };
    expect("limits.max_turns", 3.into(), "project", 3.into());
    expect("limits.wall_ms", 60000.into(), "user", 4.into());
    expect(
        "limits.kill_grace_ms",
        700.into(),
        "environment",
        Value::Null,
    );
    expect("model_class", "mid".into(), "user", 1.into());
    expect("run.keep_workspace", false.into(), "default", Value::Null);
    let shown = desk.dogwatch_with(variable, &["config", "show", "--origin"]);
    for part in [
        "project (dogwatch.toml:3)",
        "environment (DOGWATCH_LIMITS_KILL_GRACE_MS)",
        "config/dogwatch/config.toml:4)",
    ] {
        assert!(shown.out().contains(part), "{part}: {shown:?}");
    }
}

#[test]
fn every_problem_of_every_layer_is_named_at_once() {
    let desk = Desk::new(Repo::with_commit());
    desk.home.write_config("agnet = \"x\"\n");
    desk.repo
        .write("dogwatch.toml", "[limits]\nmax_turns = 0\nmax_trns = 3\n")
        .commit("configure");
    let refused = desk.dogwatch(&["config", "show"]);
    refused.expect_code(1);
    assert_eq!(refused.out(), "");
    for part in [
        "error[config_invalid]",
        "config.toml:1",
        "agnet",
        "max_turns",
        "max_trns",
    ] {
        assert!(refused.err().contains(part), "{part}: {refused:?}");
    }
    let doctor = desk.dogwatch(&["doctor"]);
    doctor.expect_code(1);
    let failed = doctor
        .out()
        .lines()
        .filter(|line| line.starts_with("fail  configuration"))
        .count();
    assert_eq!(failed, 3, "{doctor:?}");
}

#[test]
fn what_a_run_would_not_use_is_remarked_on() {
    let desk = Desk::new(Repo::with_commit());
    desk.repo
        .write("dogwatch.toml", "[limits]\nmax_turns = 3\n")
        .commit("configure");
    desk.repo
        .write("dogwatch.toml", "[limits]\nmax_turns = 4\n");
    let shown = desk.dogwatch(&["config", "show", "--json"]);
    assert_eq!(setting(&shown, "limits.max_turns").0, 3);
    assert!(
        shown.err().contains("a run uses the committed one"),
        "{shown:?}"
    );
    let doctor = desk.dogwatch(&["doctor"]);
    doctor.expect_code(0);
    assert!(doctor.out().contains("warn  dogwatch.toml "), "{doctor:?}");
}

#[test]
fn an_agent_that_is_not_installed_is_found_out_before_a_run() {
    let desk = Desk::new(Repo::with_commit());
    desk.home.write_config(
        "[agents.here]\ndriver = \"exec\"\ncommand = [\"sh\"]\n[agents.gone]\ndriver = \"exec\"\ncommand = [\"no-such-agent\"]\n",
    );
    let doctor = desk.dogwatch(&["doctor"]);
    doctor.expect_code(0);
    assert!(
        doctor.out().contains("ok    agent           here: sh"),
        "{doctor:?}"
    );
    assert!(
        doctor.out().contains("gone: no-such-agent is not found"),
        "{doctor:?}"
    );
}
