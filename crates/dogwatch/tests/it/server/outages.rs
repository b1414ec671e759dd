//! The server is killed while a runner that is a process of its own works for it. The run goes on.

use std::path::PathBuf;
use std::time::Duration;

use dogwatch_testkit::wait_until;
use nix::sys::signal::{Signal, kill};
use serde_json::json;

use crate::record::{Record, status};
use crate::support::{Case, Running};
use dogwatch_core::job::JobStatus;

const SOON: Duration = Duration::from_secs(60);

fn serve(case: &Case) -> Running {
    let server = case.start(case.command(["up", "--foreground", "--slots", "0"]));
    server.wait_for_out("is up");
    server
}

/// Kills the server and starts another one.
fn replace(case: &Case, server: Running) -> Running {
    kill(server.pid(), Signal::SIGKILL).expect("it is up");
    server.wait();
    serve(case)
}

fn runner(case: &Case) -> Running {
    let token = case.dogwatch(&["token", "create", "runner", "--scope", "runner,read"]);
    assert_eq!(token.code, Some(0), "{token:?}");
    let file = case.meeting("runner.token");
    std::fs::write(&file, token.out.trim()).expect("the token");
    let socket = case.home.data().join("server/server.sock");
    let server = format!("unix:{}", socket.display());
    let file = file.display().to_string();
    case.start(case.command([
        "runner",
        "work",
        "--continuous",
        "--server",
        &server,
        "--token-file",
        &file,
    ]))
}

#[test]
fn killed_in_every_phase_and_started_again_the_run_continues() {
    let case = Case::new(json!([]));
    let place = |name: &str| -> PathBuf { case.meeting(name) };
    let step = |name: &str| {
        json!([
            {"touch": {"path": place(&format!("{name}-here"))}},
            {"wait_for_file": {"path": place(&format!("{name}-go")), "timeout_ms": 60_000}},
        ])
    };
    let mut first = step("first").as_array().unwrap().clone();
    first.push(json!({"write": {"path": "made.txt", "content": "half\n"}}));
    let mut second = step("second").as_array().unwrap().clone();
    second.push(json!({"write": {"path": "made.txt", "content": "whole\n"}}));
    case.script(json!([
        {"actions": first, "respond": {"status": "continue", "summary": "half done"}},
        {"actions": second},
    ]));
    let gate = format!(
        "touch '{}'; while [ ! -e '{}' ]; do sleep 0.05; done; grep -q whole made.txt",
        place("gate-here").display(),
        place("gate-go").display()
    );
    let mut server = serve(&case);
    let runner = runner(&case);
    let file = case.write_contract(json!({"acceptance": [{"name": "whole", "run": gate}]}));
    let file = file.display().to_string();
    let submitted = case.dogwatch(&["run", "--detach", "--json", "--contract", &file]);
    assert_eq!(submitted.code, Some(0), "{submitted:?}");
    for phase in ["first", "second", "gate"] {
        let here = place(&format!("{phase}-here"));
        wait_until(&format!("{phase} is under way"), SOON, || here.exists()).unwrap();
        server = replace(&case, server);
        std::fs::write(place(&format!("{phase}-go")), "").unwrap();
    }
    wait_until("the job is over", SOON, || {
        let record = Record::read(&case.home.data());
        status(record.only_job()) == JobStatus::Succeeded
    })
    .unwrap();
    let record = Record::read(&case.home.data());
    let job = record.only_job();
    assert_eq!(job.starts(), 1, "one run, the same one: {job:?}");
    assert_eq!(job.epoch.0, 1, "under one lease");
    record.upholds_invariants(&[job.id]);
    // A runner that is told to go goes.
    runner.interrupt();
    assert_eq!(runner.wait().code, Some(2));
    server.interrupt();
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn a_follower_brings_the_server_back() {
    let case = Case::new(json!([]));
    let (here, go) = (case.meeting("here"), case.meeting("go"));
    case.script(json!([{"actions": [
        {"touch": {"path": here}},
        {"wait_for_file": {"path": go, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let running = case.start_contract(json!({}));
    running.wait_for_file(&here);
    std::fs::write(&go, "").unwrap();
    kill(case.home.server().expect("it is up"), Signal::SIGKILL).unwrap();
    let ended = running.wait();
    assert!(
        ended
            .err
            .contains("the server went away; starting it again"),
        "{ended:?}"
    );
    case.expect_success(&ended);
}
