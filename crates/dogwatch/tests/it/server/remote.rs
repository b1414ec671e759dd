//! A runner of its own, over TCP, and one that was stopped for too long.

use std::time::Duration;

use dogwatch_core::job::{JobStatus, RunOutcome};
use dogwatch_testkit::{processes_with_env, wait_until};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::record::{Record, status};
use crate::support::{Case, Running};

const SOON: Duration = Duration::from_secs(90);

fn serve(case: &Case) -> (Running, String) {
    let server = case.start(case.command([
        "up",
        "--foreground",
        "--slots",
        "0",
        "--listen",
        "127.0.0.1:0",
    ]));
    server.wait_for_out("  url     ");
    let out = server.out();
    let url = out.lines().find_map(|line| line.strip_prefix("  url     "));
    let url = url.expect("a url").to_owned();
    (server, url)
}

fn token(case: &Case, label: &str, scopes: &str) -> String {
    let created = case.dogwatch(&["token", "create", label, "--scope", scopes]);
    assert_eq!(created.code, Some(0), "{created:?}");
    let file = case.meeting(&format!("{label}.token"));
    std::fs::write(&file, created.out.trim()).expect("the token");
    file.display().to_string()
}

fn work(case: &Case, url: &str, token: &str, how: &[&str]) -> Running {
    let mut args = vec!["runner", "work", "--server", url, "--token-file", token];
    args.extend(how);
    case.start(case.command(args))
}

#[test]
fn one_job_over_tcp_by_each_transport() {
    for transport in ["auto", "poll", "sse"] {
        let case = Case::new(json!([{"actions": [
            {"write": {"path": "made.txt", "content": "made\n"}},
        ]}]));
        let (server, url) = serve(&case);
        let token = token(&case, "runner", "runner,read");
        let submitted = case.dogwatch(&["run", "--detach", "--json", "do it"]);
        let line: Value = serde_json::from_str(submitted.out.trim()).expect("a line");
        let job = line["job_id"].as_str().expect("a job").to_owned();
        let how: &[&str] = match transport {
            "auto" => &["--once"],
            other => &["--continuous", "--transport", other],
        };
        let runner = work(&case, &url, &token, how);
        case.expect_success(&case.dogwatch(&["wait", "--json", &job]));
        if transport == "auto" {
            assert_eq!(runner.wait().code, Some(0));
        }
        drop(server);
    }
}

#[test]
fn a_wrong_token_is_no_runner() {
    let case = Case::new(json!([]));
    let (_server, url) = serve(&case);
    let reader = token(&case, "reader", "read");
    let ended = work(&case, &url, &reader, &["--once"]).wait();
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.err.contains("scope_missing"), "{ended:?}");
    let file = case.meeting("nonsense.token");
    std::fs::write(&file, "dwt_nonsense").unwrap();
    let ended = work(&case, &url, &file.display().to_string(), &["--once"]).wait();
    assert!(ended.err.contains("token_unknown"), "{ended:?}");
}

/// Stopped past the life of its lease and continued: its agent is dead before another one starts, and nothing it writes counts.
#[test]
fn a_runner_that_was_stopped_for_too_long_has_nothing_more_to_say() {
    let case = Case::new(json!([]));
    let here = case.meeting("here");
    case.script(json!([{"actions": [
        {"write": {"path": "half.txt", "content": "half\n"}},
        {"touch": {"path": here}},
        {"sleep_ms": 600_000},
    ]}]));
    let (_server, url) = serve(&case);
    let token = token(&case, "runner", "runner,read");
    let stopped = work(&case, &url, &token, &["--continuous"]);
    let submitted = case.dogwatch(&["run", "--detach", "--json", "do it"]);
    let line: Value = serde_json::from_str(submitted.out.trim()).expect("a line");
    let job = line["job_id"].as_str().expect("a job").to_owned();
    stopped.wait_for_file(&here);
    let first = Record::read(&case.home.data()).only_job().runs[0].id;
    kill(stopped.pid(), Signal::SIGSTOP).unwrap();
    // The shim ends the tree by itself, before anybody else may start one.
    wait_until("the lease is taken away", SOON, || {
        status(Record::read(&case.home.data()).only_job()) == JobStatus::Queued
    })
    .unwrap();
    let alive = processes_with_env("DOGWATCH_RUN_ID", &first.to_string()).unwrap();
    assert_eq!(alive, [], "of the run whose lease expired");

    case.script(json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}]));
    let second = work(&case, &url, &token, &["--continuous"]);
    kill(stopped.pid(), Signal::SIGCONT).unwrap();
    let ended = case.dogwatch(&["wait", "--json", &job]);
    case.expect_success(&ended);
    let record = Record::read(&case.home.data());
    let over = record.only_job();
    assert_eq!(over.starts(), 2);
    let orphan = over
        .run(first)
        .expect("the first run")
        .closed
        .as_ref()
        .expect("it is closed");
    assert_eq!(orphan.outcome, RunOutcome::Orphaned);
    record.upholds_invariants(&[over.id]);
    drop((stopped, second));
}
