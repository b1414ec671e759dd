//! Coming and going.

use std::time::Duration;

use dogwatch_testkit::{Repo, wait_until};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::support::Case;

const SOON: Duration = Duration::from_secs(20);

fn makes_a_file() -> Value {
    json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}])
}

fn status(case: &Case) -> Value {
    let ended = case.dogwatch(&["status", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.out).expect("a document")
}

#[test]
fn it_comes_with_the_first_command_that_needs_it_and_goes_when_idle() {
    let case = Case::new(makes_a_file());
    assert_eq!(status(&case)["running"], false);
    assert!(case.home.server().is_none(), "looking starts nothing");
    let mut command = case.command(["run", "--json", "do it"]);
    command.env("DOGWATCH_IDLE_MS", "300");
    case.expect_success(&case.start(command).wait());
    wait_until("it goes", SOON, || case.home.server().is_none()).unwrap();
    assert_eq!(status(&case)["running"], false);
    // The next one finds everything as it was.
    case.expect_success(&case.run());
}

#[test]
fn it_stays_for_a_job_that_may_still_go_on() {
    let case = Case::new(makes_a_file());
    let mut command = case.command([
        "run",
        "--detach",
        "--not-before",
        "2999-01-01T00:00:00Z",
        "x",
    ]);
    command.env("DOGWATCH_IDLE_MS", "50");
    let ended = case.start(command).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let server = case.home.server().expect("it is up");
    // Longer than it would stay with nothing to do, by far.
    wait_until("a while", Duration::from_millis(1500), || false).unwrap_err();
    assert_eq!(case.home.server(), Some(server));
    let job = ended
        .out
        .split_whitespace()
        .next()
        .expect("a job")
        .to_owned();
    assert_eq!(case.dogwatch(&["jobs", "cancel", &job]).code, Some(0));
    wait_until("it goes", SOON, || case.home.server().is_none()).unwrap();
}

#[test]
fn up_stays_and_down_ends_it() {
    let case = Case::new(makes_a_file());
    let up = case.dogwatch(&["up"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    assert!(up.out.contains("stays"), "{up:?}");
    let server = case.home.server().expect("it is up");
    case.expect_success(&case.run());
    assert_eq!(case.home.server(), Some(server));
    assert_eq!(status(&case)["running"], true);
    assert_eq!(case.dogwatch(&["up"]).code, Some(0), "again is no error");
    assert_eq!(case.home.server(), Some(server));
    let down = case.dogwatch(&["down"]);
    assert_eq!(
        (down.code, down.out.trim()),
        (Some(0), "dogwatch is down"),
        "{down:?}"
    );
    assert!(case.home.server().is_none());
    let again = case.dogwatch(&["down"]);
    assert_eq!(again.out.trim(), "dogwatch is not running", "{again:?}");
}

#[test]
fn a_second_server_of_the_same_data_directory_refuses() {
    let case = Case::new(makes_a_file());
    assert_eq!(case.dogwatch(&["up"]).code, Some(0));
    let server = case.home.server().expect("it is up");
    let second = case.dogwatch(&["up", "--foreground"]);
    second.expect_refusal("already_running", &[&server.to_string()]);
    // After SIGKILL the next one starts at once.
    kill(server, Signal::SIGKILL).unwrap();
    case.expect_success(&case.run());
    assert_ne!(case.home.server(), Some(server));
}

#[test]
fn two_commands_at_once_in_two_repositories_share_one() {
    let case = Case::new(json!([]));
    let (here, go) = (case.meeting("here"), case.meeting("go"));
    case.script(json!([{"actions": [
        {"touch": {"path": here}},
        {"wait_for_file": {"path": go, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let other = Repo::with_commit();
    let first = case.start(case.command(["run", "--json", "one"]));
    let mut command = case.command(["run", "--json", "two"]);
    command.current_dir(other.path());
    let second = case.start(command);
    // Both agents are at work at once.
    first.wait_for_out("\"turn.begun.v1\"");
    second.wait_for_out("\"turn.begun.v1\"");
    assert_eq!(status(&case)["jobs"]["running"], 2);
    std::fs::write(&go, "").unwrap();
    let (first, second) = (first.wait(), second.wait());
    let (first, second) = (case.expect_success(&first), case.expect_success(&second));
    assert_ne!(first.job(), second.job());
    assert_eq!(first.files(), "A\tmade.txt\n");
    assert_eq!(second.files(), "A\tmade.txt\n");
}

#[test]
fn a_signal_drains_and_the_second_stops_now() {
    let case = Case::new(json!([]));
    let (here, go) = (case.meeting("here"), case.meeting("go"));
    case.script(json!([{"actions": [
        {"touch": {"path": here}},
        {"wait_for_file": {"path": go, "timeout_ms": 60_000}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let server = case.start(case.command(["up", "--foreground"]));
    server.wait_for_out("is up");
    let running = case.start_contract(json!({}));
    running.wait_for_file(&here);
    server.interrupt();
    server.wait_for_err("draining");
    // What runs comes to its end, and whoever follows sees it.
    std::fs::write(&go, "").unwrap();
    case.expect_success(&running.wait());
    assert_eq!(server.wait().code, Some(0));

    // A follower that had not seen the end may have brought up another one.
    assert_eq!(case.dogwatch(&["down"]).code, Some(0));
    std::fs::remove_file(&here).unwrap();
    std::fs::remove_file(&go).unwrap();
    let server = case.start(case.command(["up", "--foreground"]));
    server.wait_for_out("is up");
    let running = case.start_contract(json!({}));
    running.wait_for_file(&here);
    server.interrupt();
    server.wait_for_err("draining");
    server.interrupt();
    assert_eq!(server.wait().code, Some(0));
    // The job is queued again, and whoever followed brings up a server that does it.
    std::fs::write(&go, "").unwrap();
    case.expect_success(&running.wait());
}
