//! Where nothing was ever run: no data directory, an empty one, no repository, one without commits, one without configuration.

use std::fs;
use std::path::{Path, PathBuf};

use dogwatch_testkit::{Home, Outcome, Repo};
use serde_json::{Value, json};

use super::tree::{assert_same, tree};
use crate::support::program;

/// A place where dogwatch was never used.
struct Place {
    name: &'static str,
    home: Home,
    repo: Option<Repo>,
    directory: PathBuf,
}

impl Place {
    /// Everywhere one can be without having run anything.
    fn all() -> Vec<Self> {
        let plain = Home::new();
        let bare_home = Home::new();
        fs::create_dir(bare_home.data()).unwrap();
        let no_commit = Repo::init();
        let unconfigured = Repo::with_commit();
        vec![
            Self {
                name: "an empty directory",
                directory: plain.root().join("home"),
                home: plain,
                repo: None,
            },
            Self {
                name: "an empty directory, with an empty data directory",
                directory: bare_home.root().join("home"),
                home: bare_home,
                repo: None,
            },
            Self {
                name: "a repository without commits",
                home: Home::new(),
                directory: no_commit.path().to_owned(),
                repo: Some(no_commit),
            },
            Self {
                name: "a repository without configuration",
                home: Home::new(),
                directory: unconfigured.path().to_owned(),
                repo: Some(unconfigured),
            },
        ]
    }

    fn dogwatch(&self, args: &[&str]) -> Outcome {
        let mut command = self.home.command(program());
        command.args(args).current_dir(&self.directory);
        if args[0] == "doctor" {
            // What the machine lacks would be a failure where runs need it.
            command.env("DOGWATCH_RUN_CONTAINMENT", "none");
        }
        self.home.run(&mut command)
    }

    /// Runs a command that has to leave everything as it is.
    #[track_caller]
    fn looks(&self, args: &[&str]) -> Outcome {
        let roots: Vec<&Path> = [Some(self.home.root()), self.repo.as_ref().map(Repo::root)]
            .into_iter()
            .flatten()
            .collect();
        let before: Vec<_> = roots.iter().map(|root| tree(root)).collect();
        let outcome = self.dogwatch(args);
        for (root, before) in roots.iter().zip(&before) {
            assert_same(before, &tree(root), &format!("{args:?} in {}", self.name));
        }
        outcome
    }
}

#[test]
fn lists_are_empty_and_that_is_no_error() {
    for place in Place::all() {
        for list in ["jobs", "runs"] {
            let listed = place.looks(&[list, "list"]);
            listed.expect_code(0);
            assert_eq!(listed.out(), "", "{}", place.name);
            assert!(
                listed.err().contains(&format!("no {list} yet")),
                "{listed:?}"
            );
            let listed = place.looks(&[list, "list", "--json", "--limit", "3"]);
            listed.expect_code(0);
            let document: Value = serde_json::from_slice(&listed.stdout).unwrap();
            assert_eq!(document, json!({ "items": [], "next_cursor": null }));
            assert_eq!(listed.err(), "");
        }
    }
}

#[test]
fn what_is_unknown_is_refused_with_a_code_and_a_next_step() {
    for place in Place::all() {
        for args in [
            &["jobs", "show", "abc123"][..],
            &["runs", "show", "run_01998f3e2b7c7d10"],
            &["runs", "list", "--job", "abc123"],
            &["diff", "abc123"],
            &["logs", "abc123", "--gate", "tests"],
            &["verify", "abc123"],
            &["verify"],
        ] {
            let refused = place.looks(args);
            refused.expect_code(1);
            assert_eq!(refused.out(), "", "{args:?}");
            assert!(refused.err().starts_with("error[no_data]: "), "{refused:?}");
            assert!(refused.err().contains("\n  next: "), "{refused:?}");
            let refused = place.looks(&[args, &["--json"]].concat());
            refused.expect_code(1);
            let error: Value = serde_json::from_slice(&refused.stderr).unwrap();
            assert_eq!(error["error"]["code"], "no_data");
            assert!(error["error"]["next_action"].is_string(), "{error}");
        }
    }
}

#[test]
fn a_directory_that_is_no_bundle_is_invalid() {
    for place in Place::all() {
        let refused = place.looks(&["verify", "./nothing"]);
        refused.expect_code(1);
        assert!(refused.err().starts_with("error[no_bundle]"), "{refused:?}");
        let checked = place.looks(&["verify", "."]);
        checked.expect_code(1);
        for code in ["unsealed", "unsigned", "no_trusted_key"] {
            assert!(
                checked.out().contains(&format!("  {code}  ")),
                "{checked:?}"
            );
        }
        assert!(!checked.err().is_empty(), "{checked:?}");
    }
}

#[test]
fn the_machine_the_configuration_and_the_shells_are_told_about_anyway() {
    for place in Place::all() {
        let doctor = place.looks(&["doctor"]);
        doctor.expect_code(0);
        for part in [
            "containment     ",
            "workspaces      ",
            "ok    git  ",
            "the first run makes it",
        ] {
            assert!(doctor.out().contains(part), "{part}: {doctor:?}");
        }
        let doctor: Value =
            serde_json::from_slice(&place.looks(&["doctor", "--json"]).stdout).unwrap();
        let levels = ["none", "reduced", "full"];
        assert!(
            levels.contains(&doctor["containment"].as_str().unwrap()),
            "{doctor}"
        );
        assert_eq!(doctor["checks"][0]["what"], "containment");
        for means in ["overlay", "landlock", "seccomp", "bwrap"] {
            assert!(doctor["capabilities"][means]["available"].is_boolean());
        }
        // As agents are not to be contained here, there is something to warn of.
        assert_eq!(place.looks(&["doctor", "--strict"]).code, Some(1));
        assert!(doctor["capabilities"]["subreaper"]["available"].is_boolean());

        let config = place.looks(&["config", "show", "--origin"]);
        config.expect_code(0);
        assert!(config.out().contains("limits.max_turns"), "{config:?}");
        assert_eq!(config.err(), "");
        assert_eq!(
            config.out().matches("  default\n").count(),
            // The heading, and the level of containment that tests are given by a variable.
            config.out().lines().count() - 2
        );
        let config: Value =
            serde_json::from_slice(&place.looks(&["config", "show", "--json"]).stdout).unwrap();
        assert_eq!(config["settings"][0]["origin"]["layer"], "default");

        for shell in ["bash", "zsh", "fish"] {
            let script = place.looks(&["completions", shell]);
            script.expect_code(0);
            assert!(script.out().contains("verify"), "{shell}");
        }
    }
}

#[test]
fn an_unknown_state_names_those_there_are() {
    let place = &Place::all()[0];
    let refused = place.looks(&["jobs", "list", "--status", "queued,flying"]);
    refused.expect_code(1);
    for part in [
        "error[status_unknown]",
        "`flying`",
        "queued, awaiting_approval",
        "expired",
    ] {
        assert!(refused.err().contains(part), "{part}: {refused:?}");
    }
    place
        .looks(&["jobs", "list", "--status", "done,PENDING"])
        .expect_code(0);
    for limit in ["0", "501", "x"] {
        place
            .looks(&["jobs", "list", "--limit", limit])
            .expect_code(1);
    }
}

#[test]
fn a_store_that_cannot_be_read_is_never_an_empty_one() {
    let home = Home::new();
    fs::create_dir(home.data()).unwrap();
    fs::write(home.data().join("dogwatch.db"), "x".repeat(8192)).unwrap();
    let place = Place {
        name: "a damaged store",
        directory: home.root().join("home"),
        home,
        repo: None,
    };
    for args in [
        &["jobs", "list"][..],
        &["runs", "list", "--json"],
        &["jobs", "show", "abc123"],
    ] {
        let refused = place.looks(args);
        refused.expect_code(1);
        assert_eq!(refused.out(), "", "{args:?}");
        assert!(refused.err().contains("store_unreadable"), "{refused:?}");
    }
    let doctor = place.looks(&["doctor"]);
    doctor.expect_code(1);
    assert!(doctor.out().contains("fail  store "), "{doctor:?}");
}
