//! `dogwatch demo`, end to end.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Case;

#[test]
fn the_demo_feeds_a_failing_gate_back_and_seals_a_bundle_that_verifies() {
    let case = Case::new(json!([]));
    let started = Instant::now();
    let ended = case.dogwatch(&["demo", "--json"]);
    // A bound that a loaded machine meets too; how quick it really is, the benchmarks say.
    assert!(started.elapsed() < Duration::from_secs(60));
    let finished = case.expect_success(&ended);
    assert_eq!(
        finished.gate("tests"),
        [("failed", "gate_failed"), ("passed", "passed")]
    );
    let story: Vec<&str> = finished
        .kinds()
        .into_iter()
        .filter(|kind| ["turn.ended.v1", "gate.finished.v1", "run.ended.v1"].contains(kind))
        .collect();
    assert_eq!(
        story,
        [
            "turn.ended.v1",
            "gate.finished.v1",
            "gate.finished.v1",
            "turn.ended.v1",
            "gate.finished.v1",
            "gate.finished.v1",
            "run.ended.v1"
        ]
    );
    for (turn, begun) in (1..).zip(finished.facts("turn.begun.v1")) {
        let request = std::fs::read(finished.bundle.turn(turn).request()).unwrap();
        let digest = dogwatch_core::Sha256Digest::of(&request).to_string();
        assert_eq!(begun["request"], digest.as_str(), "turn {turn}");
    }
    for turn in [1, 2] {
        assert_eq!(finished.turn(turn)["status"], "completed");
        assert_eq!(finished.turn(turn)["response_status"], "done");
    }
    assert_eq!(finished.result["assurance"], "gates");
    assert_eq!(finished.files(), "M\tslugify.sh\n");
    assert_eq!(finished.result["cleanup"], "removed");
}

#[test]
fn the_demo_tells_a_person_what_happened_and_where_the_bundle_is() {
    let case = Case::new(json!([]));
    let ended = case.dogwatch(&["demo"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in [
        "succeeded after 2 turn(s)",
        "The bundle verifies",
        "FAIL  a version",
        "+    tr -cs",
    ] {
        assert!(ended.out.contains(part), "{part}: {ended:?}");
    }
    let bundle = ended
        .out
        .lines()
        .find_map(|line| line.strip_prefix("bundle"))
        .expect("a line with the bundle");
    assert!(
        Path::new(bundle.trim()).starts_with(case.home.data()),
        "{bundle}"
    );
    assert!(Path::new(bundle.trim()).join("manifest.json").is_file());
    // The throw-away repository is gone: nothing else was asked for.
    assert_eq!(
        std::fs::read_dir(case.home.root().join("tmp"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn the_demo_keeps_its_repository_on_request() {
    let case = Case::new(json!([]));
    let ended = case.dogwatch(&["demo", "--keep"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let kept = ended
        .out
        .lines()
        .find_map(|line| line.strip_prefix("kept"))
        .expect("a line with the place");
    assert!(
        Path::new(kept.trim()).join("slugify/slugify.sh").is_file(),
        "{kept}"
    );
}
