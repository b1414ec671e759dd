//! What actions do to files and print.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::rehearsal::{Rehearsal, script};

#[test]
fn files_are_written_and_every_action_says_so() {
    let stage = Rehearsal::new();
    let played = stage.play(json!([
        {"write": {"path": "src/a.txt", "content": "one\n"}},
        {"append": {"path": "src/a.txt", "content": "two\n"}},
        {"append": {"path": "new.txt", "content": "x"}},
        {"replace": {"path": "src/a.txt", "from": "o", "to": "0"}},
        {"write": {"path": "run.sh", "content": "#!/bin/sh\n", "executable": true}},
        {"symlink": {"path": "links/a", "target": "../src/a.txt"}},
        {"touch": {"path": "marks/here"}},
        {"remove": {"path": "new.txt"}},
        {"sleep_ms": 1},
    ]));
    assert_eq!(
        played.stdout(),
        "wrote src/a.txt\nappended to src/a.txt\nappended to new.txt\nedited src/a.txt\nwrote run.sh\nlinked links/a to ../src/a.txt\ntouched marks/here\nremoved new.txt\nwaiting 1 ms\n"
    );
    assert_eq!(played.code, Some(0));
    assert_eq!(stage.read("src/a.txt"), "0ne\ntw0\n");
    assert_eq!(
        fs::read_link(stage.path("links/a")).unwrap(),
        Path::new("../src/a.txt")
    );
    assert_eq!(stage.read("links/a"), "0ne\ntw0\n");
    assert_eq!(stage.read("marks/here"), "");
    assert!(!stage.path("new.txt").exists());
    let mode = |name| fs::metadata(stage.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("run.sh") & 0o111, 0o111);
    assert_eq!(mode("src/a.txt") & 0o111, 0);
}

#[test]
fn a_file_keeps_its_mode_unless_told_otherwise() {
    let stage = Rehearsal::new();
    stage.play(json!([{"write": {"path": "a", "content": "", "executable": true}}]));
    stage.play(json!([{"write": {"path": "a", "content": "x"}}]));
    let mode = || fs::metadata(stage.path("a")).unwrap().permissions().mode();
    assert_eq!(mode() & 0o100, 0o100);
    stage.play(json!([{"write": {"path": "a", "content": "x", "executable": false}}]));
    assert_eq!(mode() & 0o111, 0);
}

#[test]
fn directories_and_links_are_removed_without_what_they_point_at() {
    let stage = Rehearsal::new();
    let played = stage.play(json!([
        {"write": {"path": "kept/file", "content": "x"}},
        {"write": {"path": "gone/deep/file", "content": "x"}},
        {"symlink": {"path": "gone/kept", "target": "../kept"}},
        {"symlink": {"path": "link", "target": "kept"}},
        {"remove": {"path": "link"}},
        {"remove": {"path": "gone"}},
    ]));
    assert_eq!(played.code, Some(0));
    assert!(!stage.path("link").exists() && !stage.path("gone").exists());
    assert_eq!(stage.read("kept/file"), "x");
}

#[test]
fn an_action_that_fails_ends_the_turn_with_its_reason() {
    for (action, reason) in [
        (
            json!({"replace": {"path": "a.txt", "from": "absent", "to": "x"}}),
            "turn 1, action 2 (replace): a.txt does not contain \"absent\"",
        ),
        (
            json!({"replace": {"path": "b.txt", "from": "x", "to": "x"}}),
            "turn 1, action 2 (replace): cannot read b.txt: No such file",
        ),
        (
            json!({"remove": {"path": "b.txt"}}),
            "turn 1, action 2 (remove): cannot remove b.txt: No such file",
        ),
        (
            json!({"symlink": {"path": "a.txt", "target": "x"}}),
            "turn 1, action 2 (symlink): cannot link a.txt: File exists",
        ),
        (
            json!({"write": {"path": "a.txt/b", "content": ""}}),
            "turn 1, action 2 (write): cannot write a.txt/b: ",
        ),
        (
            json!({"wait_for_file": {"path": "b.txt", "timeout_ms": 20}}),
            "turn 1, action 2 (wait_for_file): b.txt was not there after 20 ms",
        ),
        (
            json!({"shell": {"command": "exit 7"}}),
            "turn 1, action 2 (shell): `exit 7` ended with exit status: 7",
        ),
        (
            json!({"shell": {"command": "kill -9 $$"}}),
            "turn 1, action 2 (shell): `kill -9 $$` ended with signal: 9",
        ),
    ] {
        let stage = Rehearsal::new();
        let played = stage.play(json!([
            {"write": {"path": "a.txt", "content": "here"}},
            action,
            {"touch": {"path": "never"}},
        ]));
        assert_eq!(played.code, Some(91), "{played:?}");
        assert!(played.stderr().contains(reason), "{played:?}");
        assert_eq!(played.response()["status"], "failed");
        let summary = played.response()["summary"].as_str().unwrap().to_owned();
        assert!(summary.starts_with(reason), "{summary}");
        assert!(!stage.path("never").exists());
    }
}

#[test]
fn text_goes_to_the_stream_it_is_meant_for() {
    let played = Rehearsal::new().play(json!([
        {"print": {"text": "to out"}},
        {"print": {"text": "to err", "stream": "stderr"}},
        {"print_bytes": {"hex": "fffe0a"}},
        {"print_bytes": {"hex": "00", "stream": "stderr"}},
    ]));
    assert_eq!(
        played.stdout,
        b"to out\n\xff\xfe\nprinted 3 bytes\nprinted 1 bytes\n"
    );
    assert_eq!(played.stderr, b"to err\n\0");
}

#[test]
fn a_flood_has_exactly_the_bytes_asked_for() {
    let count = 5 * 64 * 1024 + 17;
    let mut flood = script(json!([
        {"print_bytes": {"repeat": {"byte": 120, "count": count}}},
        {"print_bytes": {"repeat": {"byte": 10, "count": 3}, "stream": "stderr"}},
    ]));
    flood["quiet"] = Value::Bool(true);
    let played = Rehearsal::new().play_turn(&flood, 1);
    assert_eq!(played.stdout.len(), count);
    assert!(played.stdout.iter().all(|byte| *byte == b'x'));
    assert_eq!(played.stderr, b"\n\n\n");
}

#[test]
fn a_quiet_script_only_prints_what_it_is_told_to() {
    let mut quiet = script(json!([
        {"write": {"path": "a", "content": ""}},
        {"print": {"text": "mine"}},
        {"shell": {"command": "echo theirs"}},
        {"touch": {"path": "b"}},
    ]));
    quiet["quiet"] = Value::Bool(true);
    let played = Rehearsal::new().play_turn(&quiet, 1);
    assert_eq!(played.stdout(), "mine\ntheirs\n");
}

#[test]
fn commands_run_in_the_working_directory_and_may_fail_if_allowed() {
    let stage = Rehearsal::new();
    let played = stage.play(json!([
        {"shell": {"command": "echo made > made.txt; exit 3", "allow_failure": true}},
        {"shell": {"command": "cat made.txt -"}},
    ]));
    assert_eq!(
        played.stdout(),
        "$ echo made > made.txt; exit 3\n$ cat made.txt -\nmade\n"
    );
    assert_eq!(played.code, Some(0));
}

#[test]
fn absolute_paths_reach_beyond_the_working_directory() {
    let stage = Rehearsal::new();
    let mark = stage.exchange("deep/mark");
    let played = stage.play(json!([{"touch": {"path": mark}}]));
    assert_eq!(played.code, Some(0));
    assert!(mark.exists());
}
