//! Actions about processes and signals.

use std::fs;
use std::process::Stdio;

use serde_json::json;

use crate::rehearsal::{Rehearsal, request, script, wait_for};

#[test]
fn two_processes_can_wait_for_each_other() {
    let stage = Rehearsal::new();
    let script = script(json!([
        {"touch": {"path": "ready"}},
        {"wait_for_file": {"path": "go", "timeout_ms": 20_000}},
        {"touch": {"path": "gone"}},
    ]));
    let agent = stage
        .agent(&script.to_string(), &request(1))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&stage.path("ready"));
    assert!(!stage.path("gone").exists());
    fs::write(stage.path("go"), "").unwrap();
    let played = stage.played(agent.wait_with_output().unwrap());
    assert_eq!(played.code, Some(0));
    assert!(stage.path("gone").exists());
}

#[test]
fn sigterm_ends_the_agent_unless_it_ignores_it() {
    let stage = Rehearsal::new();
    let kill = json!({"shell": {"command": "kill -TERM $PPID", "allow_failure": true}});
    let played = stage.play(json!([kill, {"sleep_ms": 20_000}]));
    assert_eq!(played.signal, Some(15));
    assert_eq!(played.response, None);

    let played = stage.play(json!([
        "ignore_sigterm",
        kill,
        {"shell": {"command": "kill -TERM $$; echo still here"}},
    ]));
    assert_eq!(played.code, Some(0), "{played:?}");
    assert!(played.stdout().ends_with("still here\n"));
}

#[test]
fn exit_and_abort_end_the_agent_without_a_response() {
    let stage = Rehearsal::new();
    let played = stage.play(json!([{"exit": {"code": 3}}, {"touch": {"path": "never"}}]));
    assert_eq!((played.code, played.response.as_deref()), (Some(3), None));
    let played = stage.play(json!(["abort", {"touch": {"path": "never"}}]));
    assert_eq!((played.signal, played.response.as_deref()), (Some(6), None));
    assert_eq!(played.stdout(), "aborting\n");
    assert!(!stage.path("never").exists());
}

#[test]
fn a_daemon_outlives_the_agent_as_nobodys_child() {
    let stage = Rehearsal::new();
    // It gives up by itself, should the test fail before it says stop.
    let daemon = "exec >/dev/null 2>&1; echo $$ > pid.new; mv pid.new pid; n=0; while [ ! -e stop ] && [ $n -lt 400 ]; do sleep 0.05; n=$((n + 1)); done; touch stopped";
    let script = script(json!([
        {"spawn_daemon": {"command": daemon}},
        {"wait_for_file": {"path": "pid", "timeout_ms": 20_000}},
    ]));
    let agent = stage
        .agent(&script.to_string(), &request(1))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let agent_pid = agent.id().to_string();
    let played = stage.played(agent.wait_with_output().unwrap());
    assert_eq!(played.code, Some(0));
    assert!(played.stdout().starts_with("left behind: exec"));

    let pid = stage.read("pid").trim().to_owned();
    let (parent, session) = parent_and_session(&pid);
    let (_, own_session) = parent_and_session("self");
    assert_ne!(parent, agent_pid);
    assert_ne!(session, own_session);
    assert!(!stage.path("stopped").exists());
    fs::write(stage.path("stop"), "").unwrap();
    wait_for(&stage.path("stopped"));
}

fn parent_and_session(pid: &str) -> (String, String) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = rest.split(' ').collect();
    (fields[1].to_owned(), fields[3].to_owned())
}
