//! Ctrl-C: once to stop watching, again to cancel. And readers who go away.

use std::process::Stdio;
use std::time::{Duration, Instant};

use dogwatch_testkit::wait_until;
use nix::sys::signal::{Signal, kill};
use serde_json::json;

use crate::support::{Case, Ended, Finished, Running};

/// Far less than the things waited for would take.
const SOON: Duration = Duration::from_secs(10);

/// The end of a run that a person stopped.
#[track_caller]
fn stopped(case: &Case, ended: &Ended) -> Finished {
    let finished = case.expect(ended, 2, "stopped", "cancelled");
    assert_eq!(finished.result["job_status"], "cancelled", "{ended:?}");
    assert_eq!(finished.result["failure"]["class"], "stopped");
    assert!(
        finished.reason().contains("at the terminal"),
        "{}",
        finished.reason()
    );
    assert_eq!(finished.facts("run.cancel_received.v1").len(), 1);
    finished
}

/// Ctrl-C, and again once it was answered.
#[track_caller]
fn cancel(running: &Running) {
    running.interrupt();
    running.wait_for_err("press Ctrl-C again within 3 s to cancel it");
    running.interrupt();
    running.wait_for_err("cancelling; press Ctrl-C again");
}

#[test]
fn once_stops_watching_and_the_run_goes_on() {
    let case = Case::new(json!([]));
    let (here, go) = (case.meeting("here"), case.meeting("go"));
    case.script(json!([{"actions": [
        {"touch": {"path": here}},
        {"wait_for_file": {"path": go, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let running = case.start_contract(json!({}));
    running.wait_for_file(&here);
    running.interrupt();
    let ended = running.wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("dogwatch wait"), "{ended:?}");
    let jobs = case.dogwatch(&["jobs", "list", "--json"]);
    let jobs: serde_json::Value = serde_json::from_str(&jobs.out).unwrap();
    let job = jobs["items"][0]["id"].as_str().expect("a job");
    case.dogwatch(&["wait", "--timeout", "1", job])
        .expect_refusal(
            "wait_timeout",
            &["phase=turn_executing", "checkpoint=Turn 1"],
        );
    let left: serde_json::Value =
        serde_json::from_str(ended.out.lines().last().unwrap_or_default()).unwrap();
    assert_eq!(left["type"], "left", "{ended:?}");
    let job = left["job_id"].as_str().expect("a job").to_owned();

    // Whoever comes back sees all of it.
    std::fs::write(&go, "").unwrap();
    let finished = case.expect_success(&case.dogwatch(&["wait", "--json", &job]));
    assert_eq!(finished.job(), job);
    assert_eq!(finished.files(), "A\tmade.txt\n");
}

#[test]
fn a_closed_terminal_changes_nothing() {
    for signal in [Signal::SIGHUP, Signal::SIGTERM, Signal::SIGKILL] {
        let case = Case::new(json!([]));
        let (here, go) = (case.meeting("here"), case.meeting("go"));
        case.script(json!([{"actions": [
            {"touch": {"path": here}},
            {"wait_for_file": {"path": go, "timeout_ms": 60_000}},
            {"write": {"path": "made.txt", "content": "made\n"}},
        ]}]));
        let running = case.start_contract(json!({}));
        running.wait_for_file(&here);
        kill(running.pid(), signal).unwrap();
        running.wait();
        std::fs::write(&go, "").unwrap();
        let jobs = case.dogwatch(&["jobs", "list", "--json"]);
        let jobs: serde_json::Value = serde_json::from_str(&jobs.out).unwrap();
        let job = jobs["items"][0]["id"].as_str().expect("a job").to_owned();
        case.expect_success(&case.dogwatch(&["wait", "--json", &job]));
    }
}

#[test]
fn again_cancels_and_waits_for_the_agent_to_end() {
    let case = Case::new(json!([]));
    let here = case.meeting("here");
    case.script(json!([{"actions": [
        {"write": {"path": "half.txt", "content": "half\n"}},
        {"spawn_daemon": {"command": "sleep 600"}},
        {"touch": {"path": here}},
        {"sleep_ms": 600_000},
    ]}]));
    let running = case.start_contract(json!({}));
    running.wait_for_file(&here);
    let asked = Instant::now();
    cancel(&running);
    let ended = running.wait();
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    let finished = stopped(&case, &ended);
    assert_eq!(finished.turn(1)["status"], "stopped");
    // Nothing it wrote is lost.
    assert_eq!(finished.files(), "A\thalf.txt\n");

    // Cancelled is final: trying again is a new job.
    case.script(json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}]));
    let again = case.expect_success(&case.dogwatch(&["jobs", "retry", "--json", finished.job()]));
    assert_ne!(again.job(), finished.job());
}

#[test]
fn an_agent_that_will_not_end_is_killed() {
    let case = Case::new(json!([]));
    let here = case.meeting("here");
    case.script(json!([{"actions": [
        "ignore_sigterm",
        {"touch": {"path": here}},
        {"sleep_ms": 600_000},
    ]}]));
    let running = case.start_contract(json!({"limits": {"kill_grace_ms": 300}}));
    running.wait_for_file(&here);
    let asked = Instant::now();
    cancel(&running);
    let ended = running.wait();
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    let finished = stopped(&case, &ended);
    assert_eq!(finished.turn(1)["status"], "stopped");
}

#[test]
fn a_wait_between_two_turns_is_cut_short() {
    let case = Case::new(json!([{"actions": [{"sleep_ms": 600_000}]}]));
    // The wait is as long as the stall window, and a fresh turn would take as long again.
    let running = case.start_contract(json!({"limits": {
        "stall_window_ms": 8_000, "turn_budget_ms": 30_000, "initial_backoff_ms": 600_000, "max_retry_backoff_ms": 600_000,
    }}));
    running.wait_for_out("\"run.stalled.v1\"");
    let asked = Instant::now();
    cancel(&running);
    let ended = running.wait();
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
    let finished = stopped(&case, &ended);
    assert_eq!(finished.result["turns"], 1);
}

#[test]
fn a_gate_is_stopped_too() {
    let case =
        Case::new(json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}]));
    let here = case.meeting("here");
    let running = case.start_contract(json!({"acceptance": [
        {"name": "slow", "run": format!("touch '{}'; sleep 600", here.display())},
        {"name": "never", "run": "true"},
    ]}));
    running.wait_for_file(&here);
    let asked = Instant::now();
    cancel(&running);
    let ended = running.wait();
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    let finished = stopped(&case, &ended);
    assert_eq!(finished.gate("slow"), [("error", "gate_stopped")]);
    assert!(finished.gate("never").is_empty());
    assert_eq!(finished.result["assurance"], "none");
}

#[test]
fn no_further_attempt_is_made() {
    let case = Case::new(json!([]));
    let here = case.meeting("here");
    case.script(json!([{"actions": [{"touch": {"path": here}}, {"sleep_ms": 600_000}]}]));
    let running = case.start_contract(json!({"retry": {"max_attempts": 3}}));
    running.wait_for_file(&here);
    cancel(&running);
    let ended = running.wait();
    let finished = stopped(&case, &ended);
    assert_eq!(finished.facts("run.started.v1")[0]["attempt"], 1);
    assert_eq!(
        std::fs::read_dir(case.home.data().join("runs"))
            .unwrap()
            .count(),
        1
    );
}

/// A job of two attempts whose first one is over.
#[track_caller]
fn called_off_after_the_first_attempt(ready: impl Fn(&Case) -> bool) {
    let case = Case::new(json!([{"respond": {"status": "failed", "summary": "not today"}}]));
    let running = case.start_contract(json!({"retry": {"max_attempts": 2}}));
    running.wait_for_out("\"run.ended.v1\"");
    wait_until("the first attempt is over", SOON, || ready(&case)).unwrap();
    cancel(&running);
    let ended = running.wait();
    let finished = case.expect(&ended, 2, "failed", "agent_failed");
    assert_eq!(finished.result["job_status"], "cancelled", "{ended:?}");
    let runs = std::fs::read_dir(case.home.data().join("runs")).unwrap();
    assert_eq!(runs.count(), 1);
}

#[test]
fn the_wait_before_another_attempt_is_cut_short() {
    // The workspace goes after everything else.
    called_off_after_the_first_attempt(|case| {
        let work = std::fs::read_dir(case.home.data().join("work")).unwrap();
        work.count() == 0
    });
}

#[test]
fn between_the_end_of_a_run_and_its_report_counts_too() {
    called_off_after_the_first_attempt(|_| true);
}

#[test]
fn a_reader_who_goes_away_does_not_end_the_run() {
    let case = Case::new(json!([]));
    let (here, go) = (case.meeting("here"), case.meeting("go"));
    case.script(json!([{"actions": [
        {"touch": {"path": here}},
        {"wait_for_file": {"path": go, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    for args in [&["run", "do it", "--json"][..], &["run", "do it"]] {
        let mut command = case.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        wait_until("the agent is at work", SOON, || here.exists()).unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        std::fs::write(&go, "").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
        std::fs::remove_file(&here).unwrap();
        std::fs::remove_file(&go).unwrap();
    }
    for run in std::fs::read_dir(case.home.data().join("runs")).unwrap() {
        case.verified(&run.unwrap().path());
    }
}
