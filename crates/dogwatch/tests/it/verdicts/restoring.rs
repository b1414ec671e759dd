//! Snapshots become files again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use dogwatch_core::Timestamp;
use dogwatch_core::ids::{ProjectId, RunId};
use dogwatch_workspace::snapshot::{Extent, SnapshotRequest, take};
use dogwatch_workspace::tree::TreeLimits;
use dogwatch_workspace::{ObjectId, Vault};
use serde_json::{Value, json};

use super::stage::{Stage, said};

/// The script of two turns, the first of which fails a gate.
fn two_turns() -> Stage {
    Stage::of(json!([
        {
            "actions": [
                {"write": {"path": "answer.txt", "content": "41\n"}},
                {"write": {"path": "tool", "content": "#!/bin/sh\n", "executable": true}},
                {"symlink": {"path": "link", "target": "answer.txt"}},
            ],
            "respond": {"status": "continue", "summary": "a start", "next_task": "go on"},
        },
        {
            "actions": [
                {"write": {"path": "answer.txt", "content": "42\n"}},
                {"remove": {"path": "link"}},
            ],
            "respond": {"status": "done", "summary": "done"},
        },
    ]))
}

#[test]
fn every_turn_comes_back_as_it_was_without_a_server() {
    let stage = two_turns();
    let run = stage.run_id();
    stage
        .case
        .home
        .kill_everything()
        .expect("the server is gone");
    let to = |name: &str| stage.case.home.root().join(name);
    let restore = |args: &[&str]| {
        stage
            .case
            .dogwatch(&[&["restore", run, "--json"], args].concat())
    };

    let first = to("first");
    let document = said(&restore(&["--turn", "1", "--to", &first.to_string_lossy()]));
    assert_eq!(document["snapshot"], "turn-001");
    assert_eq!(document["snapshots"], json!(["turn-001", "turn-002"]));
    assert_eq!(fs::read(first.join("answer.txt")).unwrap(), b"41\n");
    assert_eq!(fs::read(first.join("README.md")).unwrap(), b"# A project\n");
    assert_eq!(
        fs::read_link(first.join("link")).unwrap().to_str(),
        Some("answer.txt")
    );
    let mode = fs::metadata(first.join("tool"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o111, 0o111);

    // The last one is meant if none is named.
    let last = to("last");
    let document = said(&restore(&["--to", &last.to_string_lossy()]));
    assert_eq!(document["tree"], stage.header()["closed"]["tree"]);
    assert_eq!(fs::read(last.join("answer.txt")).unwrap(), b"42\n");
    assert!(!last.join("link").exists());

    restore(&["--turn", "2", "--to", &last.to_string_lossy()])
        .expect_refusal("restore_not_empty", &["last", "--to"]);
    restore(&["--turn", "3"]).expect_refusal("snapshot_not_found", &["turn-001, turn-002"]);
    let told = stage.case.dogwatch(&["restore", run, "--turn", "2"]);
    assert!(told.err.contains("turn-001, turn-002"), "{told:?}");
    let short = &run[run.len() - 6..];
    let default = stage
        .case
        .repo
        .path()
        .join(format!("dogwatch-restore-{short}"));
    assert_eq!(fs::read(default.join("answer.txt")).unwrap(), b"42\n");
    assert!(stage.case.home.server().is_none(), "none was started");
}

#[test]
fn ignored_files_and_empty_directories_come_back_and_what_is_missing_is_named() {
    let stage = Stage::new();
    let run: RunId = stage.run_id().parse().unwrap();
    let shown = said(
        &stage
            .case
            .dogwatch(&["runs", "show", stage.run_id(), "--json"]),
    );
    let project: ProjectId = serde_json::from_value::<ProjectId>(shown["project"].clone()).unwrap();
    let vault = Vault::open(&stage.case.home.data(), project)
        .unwrap()
        .unwrap();
    let base: ObjectId = stage.base.parse().unwrap();
    // What a run left, with more ignored bytes than are kept.
    let left = stage.case.home.root().join("left");
    fs::create_dir_all(left.join("empty/deep")).unwrap();
    for (name, content) in [
        (".gitignore", "*.log\n"),
        ("kept.txt", "kept\n"),
        ("small.log", "small\n"),
        ("large.log", "a line that is longer than what is kept\n"),
    ] {
        fs::write(left.join(name), content).unwrap();
    }
    let request = SnapshotRequest {
        workspace: left.as_path().into(),
        base,
        run,
        label: "clean-up",
        parent: base,
        message: "left",
        at: Timestamp::from_micros(0),
        limits: TreeLimits::default(),
    };
    let extent = Extent {
        ignored_max: 10,
        ..Extent::default()
    };
    take(&vault, &request, &extent).unwrap();

    let to = stage.case.home.root().join("restored");
    let args = [
        "restore",
        stage.run_id(),
        "--snapshot",
        "clean-up",
        "--to",
        &to.to_string_lossy(),
    ];
    let document = said(&stage.case.dogwatch(&[&args[..], &["--json"]].concat()));
    assert_eq!(fs::read(to.join("small.log")).unwrap(), b"small\n");
    assert_eq!(fs::read(to.join("kept.txt")).unwrap(), b"kept\n");
    assert!(to.join("empty/deep").is_dir());
    assert!(!to.join("large.log").exists());
    assert_eq!(document["ignored"]["kept"], 1);
    assert_eq!(document["not_kept"][0]["path"], "large.log");
    assert_eq!(document["not_kept"][0]["size"], 40);
    assert!(document["not_kept"][0]["sha256"].is_string());

    fs::remove_dir_all(&to).unwrap();
    let told = stage.case.dogwatch(&args);
    assert!(
        told.out.contains("large.log (40 bytes, sha256 "),
        "{told:?}"
    );
}

#[test]
fn kept_workspaces_are_listed_with_their_places() {
    let stage = Stage::new();
    let list = |args: &[&str]| {
        stage
            .case
            .dogwatch(&[&["runs", "list", "--kept"], args].concat())
    };
    assert_eq!(said(&list(&["--json"]))["items"], json!([]));
    let kept = stage
        .case
        .dogwatch(&["run", "--json", "--keep-workspace", "do it"]);
    let kept = stage.case.expect_success(&kept).result;
    let listed = said(&list(&["--json"]));
    let items: &Vec<Value> = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{listed}");
    assert_eq!(items[0]["id"], kept["run_id"]);
    let place = items[0]["workspace"].as_str().unwrap();
    assert!(std::path::Path::new(place).is_dir(), "{place}");
    assert!(list(&[]).out.contains(place));
    let job = kept["job_id"].as_str().unwrap();
    assert_eq!(said(&list(&["--job", job, "--json"])), listed);
    let show = stage.case.dogwatch(&["runs", "show", job]);
    assert!(show.out.contains(&format!("kept: {place}")), "{show:?}");
}
