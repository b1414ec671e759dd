//! What agents print.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

use crate::support::Case;

/// The end of an over-long stream that is kept beside its beginning.
const TAIL: u64 = 64 * 1024;

/// More than any process of a run may ever take for the agent's output.
const MEMORY_KIB: i64 = 256 * 1024;

fn exit_record(finished: &crate::support::Finished) -> Value {
    let bytes = fs::read(finished.bundle.turn(1).exit()).expect("an exit record");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn an_agent_that_never_reads_its_input_is_fine() {
    let case = Case::of_command(&["sh", "-c", "echo made > made.txt"]);
    case.expect_success(&case.run());
}

#[test]
fn an_agent_that_waits_for_input_gets_the_end_of_it() {
    let case = Case::of_command(&["sh", "-c", "cat > made.txt; echo done >> made.txt"]);
    let finished = case.expect_success(&case.run());
    assert!(finished.patch().contains("+done"), "{}", finished.patch());
}

#[test]
fn output_that_is_not_text_is_kept_as_it_is() {
    let case = Case::new(json!([{"actions": [
        {"print_bytes": {"hex": "fffe00c3281b5b324a0a"}},
        {"print_bytes": {"hex": "80", "stream": "stderr"}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let ended = case.run();
    let finished = case.expect_success(&ended);
    let stdout = fs::read(finished.bundle.turn(1).stdout()).unwrap();
    assert!(
        stdout.starts_with(b"\xff\xfe\0\xc3(\x1b[2J\n"),
        "{stdout:?}"
    );
    let stderr = fs::read(finished.bundle.turn(1).stderr()).unwrap();
    assert!(stderr.starts_with(b"\x80"), "{stderr:?}");
    // Nobody's terminal sees it.
    for shown in [&ended.out, &ended.err] {
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}

#[test]
fn a_gigabyte_of_output_is_counted_and_not_kept() {
    const BYTES: u64 = 1 << 30;
    const KEPT: u64 = 64 * 1024;
    let case = Case::new(json!([{"actions": [
        {"print_bytes": {"repeat": {"byte": 120, "count": BYTES}}},
        {"write": {"path": "made.txt", "content": "made\n"}},
    ]}]));
    let ended = case.run_contract(json!({"limits": {"output_bytes": KEPT}}));
    let finished = case.expect_success(&ended);
    let record = exit_record(&finished);
    let count = |stream: &str, what: &str| record[stream][what].as_u64().expect("a count");
    for stream in ["stdout", "stderr"] {
        assert_eq!(
            count(stream, "seen"),
            count(stream, "stored") + count(stream, "dropped")
        );
    }
    let (seen, stored) = (count("stdout", "seen"), count("stdout", "stored"));
    // Actions print a line each of what they do.
    assert!((BYTES..BYTES + 1000).contains(&seen), "{record}");
    assert!((KEPT..=KEPT + TAIL).contains(&stored), "{record}");
    let turn = finished.turn(1);
    assert_eq!(turn["output_bytes"], seen + count("stderr", "seen"));
    assert_eq!(
        turn["dropped_bytes"],
        seen - stored + count("stderr", "dropped")
    );
    let plain = fs::metadata(finished.bundle.turn(1).stdout())
        .unwrap()
        .len();
    assert!(plain <= KEPT + TAIL + 1000, "{plain}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    assert!(usage.max_rss() < MEMORY_KIB, "{} KiB", usage.max_rss());
}

#[test]
fn a_gate_that_prints_without_end_is_bounded_too() {
    let case =
        Case::new(json!([{"actions": [{"write": {"path": "made.txt", "content": "made\n"}}]}]));
    let ended = case.run_contract(json!({
        "limits": {"output_bytes": 4096},
        "acceptance": [{"name": "loud", "run": "head -c 5000000 /dev/zero"}],
    }));
    let finished = case.expect_success(&ended);
    let result = fs::read(finished.bundle.gate("loud").result()).unwrap();
    let result: Value = serde_json::from_slice(&result).unwrap();
    let dropped = result["dropped_bytes"].as_u64().unwrap();
    assert_eq!(dropped, 5_000_000 - 4096 - TAIL);
}
