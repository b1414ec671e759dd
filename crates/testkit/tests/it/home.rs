//! Homes, what commands see of them, and what snapshots show.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_testkit::{Home, Repo, SeqEntropy, SimClock, as_user_65534, give_to_65534, skip};

fn sh(home: &Home, script: &str) -> Command {
    let mut command = home.command(Path::new("sh"));
    command.args(["-c", script]);
    command
}

#[test]
fn a_command_sees_only_its_home() {
    let home = Home::new();
    let seen = home.run(&mut home.command(Path::new("env")));
    let seen = seen.expect_code(0).out();
    let variables: BTreeMap<&str, &str> = seen
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let names: Vec<&str> = variables.keys().copied().collect();
    assert_eq!(
        names,
        [
            "DOGWATCH_DISK_RESERVE",
            "DOGWATCH_HOME",
            "DOGWATCH_IDLE_MS",
            "DOGWATCH_RUN_CONTAINMENT",
            "GIT_CONFIG_NOSYSTEM",
            "HOME",
            "LC_ALL",
            "PATH",
            "TMPDIR",
            "TZ",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_RUNTIME_DIR",
            "XDG_STATE_HOME",
        ]
    );
    for (name, value) in &variables {
        if name.starts_with("XDG_") || ["HOME", "TMPDIR"].contains(name) {
            assert!(Path::new(value).starts_with(home.root()), "{name}={value}");
            assert!(Path::new(value).is_dir(), "{name}={value}");
        }
    }
    assert_eq!(PathBuf::from(variables["DOGWATCH_HOME"]), home.data());
    assert!(!home.data().exists());
}

#[test]
fn the_users_configuration_is_where_the_product_looks() {
    let home = Home::new();
    home.write_config("agent = \"rehearsal\"\n");
    let read = home.run(&mut sh(
        &home,
        "cat \"$XDG_CONFIG_HOME/dogwatch/config.toml\"",
    ));
    assert_eq!(read.expect_code(0).out(), "agent = \"rehearsal\"\n");
}

#[test]
fn snapshots_are_the_same_every_time() {
    let snapshot = |entropy: u64| {
        let (home, repo) = (Home::new(), Repo::with_commit());
        home.label_path(repo.path(), "[REPO]");
        home.label("3 sheep", "[SHEEP]");
        let (clock, entropy) = (SimClock::new(), SeqEntropy::starting_at(entropy));
        let (job, run) = (JobId::mint(&clock, &entropy), RunId::mint(&clock, &entropy));
        let mut command = sh(
            &home,
            "echo $0 of $1 in 1.23s; git -C \"$2\" rev-parse --show-toplevel HEAD; echo 3 sheep; pwd >&2; printf \"no end: $3\" >&2; exit 3",
        );
        command
            .arg(job.to_string())
            .arg(run.to_string())
            .arg(repo.path())
            .arg(job.short());
        home.run(&mut command).snapshot().to_owned()
    };
    assert_eq!(
        snapshot(1),
        "exit: 3\n--- stdout\n[JOB] of [RUN] in [TIME]\n[REPO]\n[HASH]\n[SHEEP]\n--- stderr\n[HOME]/home\nno end: [JOB]\n(no line end)\n"
    );
    assert_eq!(snapshot(1), snapshot(77_777));
}

#[test]
fn a_signal_is_told_from_an_exit_code() {
    let home = Home::new();
    let outcome = home.run(&mut sh(&home, "kill -9 $$"));
    assert_eq!((outcome.code, outcome.signal), (None, Some(9)));
    assert_eq!(
        format!("{outcome:?}"),
        "signal: 9\n--- stdout\n--- stderr\n"
    );
}

#[test]
fn an_ordinary_user_can_own_a_home_and_a_repository() {
    let Some(user) = as_user_65534() else {
        return skip(
            "testkit::home::an_ordinary_user_can_own_a_home_and_a_repository",
            "only root with setpriv can become another user",
        );
    };
    let (home, repo) = (Home::new(), Repo::with_commit());
    give_to_65534(home.root());
    give_to_65534(repo.root());
    let mut command = sh(
        &home,
        "id -u; id -g; id -G; touch \"$HOME/mine\" && git -C \"$0\" status --short && pwd && echo \"$DOGWATCH_HOME\"",
    );
    command.arg(repo.path());
    let outcome = home.run(&mut user.wrap(&command));
    assert_eq!(
        outcome.snapshot(),
        "exit: 0\n--- stdout\n65534\n65534\n65534\n[HOME]/home\n[HOME]/data\n--- stderr\n"
    );
    assert!(fs::exists(home.root().join("home/mine")).unwrap());
    // Root goes on as before with what is now another's.
    assert_eq!(repo.status(), "");
    assert!(user.prefix()[0] == "setpriv");
}
