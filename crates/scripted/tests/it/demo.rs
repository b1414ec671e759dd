//! The demo from end to end, without dogwatch: checks, first fix, checks, second fix, checks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use dogwatch_scripted::{DEMO_SCRIPT, DEMO_TASK, DemoGate, demo_repository};
use serde_json::json;

use crate::rehearsal::{Rehearsal, request};

fn gate(stage: &Rehearsal, gate: &DemoGate) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("sh")
        .args(["-c", gate.run])
        .current_dir(stage.path(""))
        .output()
        .unwrap();
    assert!(stderr.is_empty());
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn the_first_fix_breaks_another_check_and_the_second_mends_both() {
    let stage = Rehearsal::new();
    let demo = demo_repository(&stage.path("")).unwrap();
    let tests = demo.gates[0];
    assert_eq!(
        gate(&stage, &tests),
        (
            Some(1),
            "ok    two words: \"Hello World\" -> hello-world\n\
             FAIL  an ampersand: \"Dogs & Watches\" -> dogs---watches, but should be dogs-watches\n\
             ok    a version: \"Version 2.0\" -> version-2-0\n\
             1 of 3 checks failed\n"
                .to_owned()
        )
    );

    let first = stage.play_request(DEMO_SCRIPT, &request(1));
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(first.response()["status"], "done");
    let (code, output) = gate(&stage, &tests);
    assert_eq!(
        (code, output.as_str()),
        (
            Some(1),
            "ok    two words: \"Hello World\" -> hello-world\n\
             ok    an ampersand: \"Dogs & Watches\" -> dogs-watches\n\
             FAIL  a version: \"Version 2.0\" -> version-20, but should be version-2-0\n\
             1 of 3 checks failed\n"
        )
    );

    let mut fed_back = request(2);
    fed_back["failed_gates"] = json!([{"gate": tests.name, "code": "gate_exit", "reason": "exit code 1", "command": tests.run, "output": output}]);
    let second = stage.play_request(DEMO_SCRIPT, &fed_back);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert_eq!(second.response()["status"], "done");
    assert_eq!(
        gate(&stage, &tests),
        (
            Some(0),
            "ok    two words: \"Hello World\" -> hello-world\n\
             ok    an ampersand: \"Dogs & Watches\" -> dogs-watches\n\
             ok    a version: \"Version 2.0\" -> version-2-0\n\
             all 3 checks passed\n"
                .to_owned()
        )
    );
}

#[test]
fn the_second_turn_needs_what_the_gate_said() {
    let stage = Rehearsal::new();
    demo_repository(&stage.path("")).unwrap();
    assert_eq!(stage.play_request(DEMO_SCRIPT, &request(1)).code, Some(0));
    let before = stage.read("slugify.sh");
    assert_eq!(stage.play_request(DEMO_SCRIPT, &request(2)).code, Some(90));
    assert_eq!(stage.read("slugify.sh"), before);
}

#[test]
fn only_the_named_files_are_written_and_only_one_is_changed() {
    let stage = Rehearsal::new();
    let demo = demo_repository(&stage.path("project")).unwrap();
    let names = ["README.md", "dogwatch.toml", "slugify.sh", "tests/run.sh"];
    assert_eq!(demo.files, names.map(PathBuf::from));
    for file in &demo.files {
        let path = stage.path("project").join(file);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        let script = fs::read(&path).unwrap().starts_with(b"#!");
        assert_eq!(mode & 0o100 != 0, script, "{}", file.display());
    }
    assert_eq!(fs::read_dir(stage.path("project")).unwrap().count(), 4);
    assert!(DEMO_TASK.contains("slugify.sh"));

    let unchanged = Rehearsal::new();
    demo_repository(&unchanged.path("")).unwrap();
    demo_repository(&stage.path("")).unwrap();
    assert_eq!(stage.play_request(DEMO_SCRIPT, &request(1)).code, Some(0));
    let changed: Vec<&str> = names
        .into_iter()
        .filter(|name| stage.read(name) != unchanged.read(name))
        .collect();
    assert_eq!(changed, ["slugify.sh"]);
}

#[test]
fn the_configuration_states_the_same_gates() {
    let stage = Rehearsal::new();
    let demo = demo_repository(&stage.path("")).unwrap();
    let config = stage.read("dogwatch.toml");
    assert_eq!(config.matches("[[acceptance]]").count(), demo.gates.len());
    for gate in &demo.gates {
        assert!(config.contains(&format!(
            "name = \"{}\"\nrun = \"{}\"\n",
            gate.name, gate.run
        )));
    }
}

#[test]
fn nothing_is_overwritten() {
    let stage = Rehearsal::new();
    fs::write(stage.path("slugify.sh"), "mine").unwrap();
    let error = demo_repository(&stage.path("")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(stage.read("slugify.sh"), "mine");
}
