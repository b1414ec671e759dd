//! What is said of a run that is over, from its evidence, here and on another machine.

use std::fs;
use std::path::{Path, PathBuf};

use dogwatch_testkit::{Home, Outcome, Repo};
use serde_json::{Value, json};

use super::tree::{assert_same, tree};
use crate::support::{Case, Finished, program};

/// What the agent prints that a terminal would obey.
const ESCAPES: &str = "\u{1b}]0;owned\u{7}";

/// A run of two turns: the first one's change fails the gate, the second one's passes it.
struct Done {
    case: Case,
    finished: Finished,
}

impl Done {
    fn new() -> Self {
        let repo = Repo::init();
        repo.write("README.md", "# A project\n")
            .write(
                "dogwatch.toml",
                "[[acceptance]]\nname = \"tests\"\nrun = \"cat made.txt && echo complaint >&2 && grep -q right made.txt\"\n",
            )
            .commit("start");
        let case = Case::in_repo(
            repo,
            json!([
                {"actions": [
                    {"print": {"text": "first words"}},
                    {"write": {"path": "made.txt", "content": "wrong\n"}},
                ]},
                {"actions": [
                    {"print": {"text": format!("second words {ESCAPES}")}},
                    {"print": {"text": "an aside", "stream": "stderr"}},
                    {"write": {"path": "made.txt", "content": "right\n"}},
                    {"remove": {"path": "README.md"}},
                ]},
            ]),
        );
        let ended = case.run();
        let finished = case.expect_success(&ended);
        Self { case, finished }
    }

    fn dogwatch(&self, args: &[&str]) -> Outcome {
        self.case.home.run(&mut self.case.command(args))
    }

    /// Runs a command that has to leave everything as it is, and to succeed.
    #[track_caller]
    fn looks(&self, args: &[&str]) -> Outcome {
        // Looking needs no server, and one that goes meanwhile would write that down.
        assert_eq!(self.case.dogwatch(&["down"]).code, Some(0));
        let roots = [self.case.home.root(), self.case.repo.root()];
        let before = roots.map(tree);
        let outcome = self.dogwatch(args);
        for (root, before) in roots.into_iter().zip(&before) {
            assert_same(before, &tree(root), &format!("{args:?}"));
        }
        outcome.expect_code(0);
        outcome
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let outcome = self.looks(&[args, &["--json"]].concat());
        serde_json::from_slice(&outcome.stdout)
            .unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
    }

    fn run(&self) -> &str {
        self.finished.result["run_id"].as_str().expect("a run")
    }

    fn short(&self) -> &str {
        let run = self.run();
        &run[run.len() - 6..]
    }

    fn bundle(&self) -> &Path {
        self.finished.bundle.root()
    }

    fn key(&self) -> PathBuf {
        let keys = fs::read_dir(self.case.home.data().join("trusted-keys")).expect("keys");
        let mut paths: Vec<_> = keys.map(|key| key.expect("a key").path()).collect();
        paths.pop().expect("the runner's own key")
    }
}

#[test]
fn a_run_and_its_job_tell_their_story_on_one_screen() {
    let done = Done::new();
    let job = done.finished.job();
    let shown = done.looks(&["runs", "show", done.short()]);
    for part in [
        "succeeded  run_",
        "turn 1 ",
        "turn 2 ",
        "tests failed",
        "tests passed",
        "snapshot     turn-002",
        "(sealed)",
        "assurance    gates",
        "workspace    removed",
    ] {
        assert!(shown.out().contains(part), "{part}: {shown:?}");
    }
    assert!(shown.out().lines().count() <= 24, "{shown:?}");
    // A job means its latest run, and any name of either will do.
    for name in [done.run(), job, &job[job.len() - 6..], &done.run()[..20]] {
        assert_eq!(
            done.looks(&["runs", "show", name]).out(),
            shown.out(),
            "{name}"
        );
    }
    let shown = done.looks(&["jobs", "show", done.short()]);
    for part in [
        "succeeded  job_",
        "task         do it",
        "agent        scripted",
        "attempts     1 of 1",
        "after 2 turn(s)",
    ] {
        assert!(shown.out().contains(part), "{part}: {shown:?}");
    }
    assert!(!shown.out().contains("lease "), "{shown:?}");

    let run = done.json(&["runs", "show", done.short()]);
    assert_eq!(run["id"], done.run());
    assert_eq!(run["bundle"], done.bundle().to_str().unwrap());
    assert_eq!(run["bundle_state"], "sealed");
    assert_eq!(run["state"]["turns"][1]["status"], "completed");
    assert_eq!(
        done.json(&["jobs", "show", job])["runs"][0]["id"],
        done.run()
    );
}

#[test]
fn lists_are_newest_first_and_paged() {
    let done = Done::new();
    done.case.script(json!([{"exit": 3}]));
    assert_eq!(done.case.run().code, Some(1));
    let list = done.json(&["jobs", "list"]);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_eq!(list["items"][0]["state"]["status"], "failed");
    assert_eq!(list["next_cursor"], Value::Null);
    for kind in ["jobs", "runs"] {
        let all = done.json(&[kind, "list"]);
        let first = done.json(&[kind, "list", "--limit", "1"]);
        assert_eq!(first["items"][0]["id"], all["items"][0]["id"]);
        let cursor = first["next_cursor"].as_str().expect("a second page");
        let second = done.json(&[kind, "list", "--limit", "1", "--cursor", cursor]);
        assert_eq!(second["items"][0]["id"], all["items"][1]["id"]);
        assert_eq!(second["next_cursor"], Value::Null);
        let page = done.looks(&[kind, "list", "--limit", "1"]);
        assert!(
            page.err().contains(&format!("--cursor {cursor}")),
            "{page:?}"
        );
        let refused = done.dogwatch(&[kind, "list", "--cursor", "nonsense"]);
        refused.expect_code(1);
        assert!(
            refused.err().contains("\n  next: start again"),
            "{refused:?}"
        );
    }
    let text = done.looks(&["jobs", "list", "--status", "success"]).out();
    let job = done.finished.job();
    assert!(
        text.contains(&job[job.len() - 6..]) && text.lines().count() == 2,
        "{text}"
    );
    let of_job = done.json(&["runs", "list", "--job", job]);
    assert_eq!(of_job["items"].as_array().unwrap().len(), 1);
    assert_eq!(of_job["items"][0]["id"], done.run());
    let refused = done.dogwatch(&["jobs", "show", "0123456"]);
    refused.expect_code(1);
    assert!(refused.err().contains("error[not_found]"), "{refused:?}");
}

#[test]
fn a_patch_goes_into_a_pipe_byte_for_byte() {
    let done = Done::new();
    let diff = done.looks(&["diff", done.short()]);
    assert_eq!(diff.stdout, fs::read(done.finished.bundle.patch()).unwrap());
    assert_eq!(diff.err(), "");
    let stat = done.looks(&["diff", done.short(), "--stat"]);
    assert_eq!(stat.out(), "D  README.md\nA  made.txt\n");
    let document = done.json(&["diff", done.short()]);
    assert_eq!(document["bundle_valid"], true);
    assert_eq!(
        document["changes"][1],
        json!({"status": "A", "path": "made.txt"})
    );
    assert_eq!(document["patch"], Value::from(diff.out()));
}

#[test]
fn a_changed_bundle_is_warned_of_and_invalid() {
    let done = Done::new();
    let patch = done.finished.bundle.patch();
    let mut bytes = fs::read(&patch).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(&patch, &bytes).unwrap();
    let diff = done.looks(&["diff", done.short()]);
    assert_eq!(diff.stdout, bytes);
    assert!(
        diff.err().contains("does not verify (patch.diff:"),
        "{diff:?}"
    );
    assert!(
        diff.err()
            .contains(&format!("dogwatch verify {}", done.short())),
        "{diff:?}"
    );
    let checked = done.dogwatch(&["verify", done.short()]);
    checked.expect_code(1);
    assert_eq!(checked.out().lines().count(), 1, "{checked:?}");
    assert!(
        checked
            .out()
            .starts_with("invalid  patch.diff  digest_mismatch  "),
        "{checked:?}"
    );
    let checked = done.dogwatch(&["verify", "--json", done.short()]);
    checked.expect_code(1);
    let document: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(document["valid"], false);
    assert_eq!(document["findings"][0]["code"], "digest_mismatch");
}

#[test]
fn a_sound_bundle_is_valid_by_every_name() {
    let done = Done::new();
    let line = done.looks(&["verify"]).out();
    assert!(
        line.starts_with(&format!("valid  {}  signed by ", done.run())),
        "{line}"
    );
    let records = done.finished.journal.len();
    assert!(line.contains(&format!("  {records} records, ")), "{line}");
    for name in [
        done.run(),
        done.short(),
        done.finished.job(),
        done.bundle().to_str().unwrap(),
    ] {
        assert_eq!(done.looks(&["verify", name]).out(), line, "{name}");
    }
    let document = done.json(&["verify", done.run()]);
    assert_eq!(document["valid"], true);
    assert_eq!(document["manifest"]["run_id"], done.run());
    assert_eq!(document["findings"], json!([]));
}

#[test]
fn another_machine_needs_the_bundle_and_the_key_and_nothing_else() {
    let done = Done::new();
    let other = Home::new();
    let directory = other.root().join("home");
    // The name of the copy is an id, and there is no store to look it up in.
    let copy = directory.join(done.run());
    copy_directory(done.bundle(), &copy);
    fs::copy(done.key(), directory.join("signer.pem")).unwrap();
    let before = tree(other.root());
    let verify = |args: &[&str]| {
        let mut command = other.command(program());
        command.arg("verify").args(args);
        other.run(&mut command)
    };
    for name in [
        done.run(),
        &format!("./{}", done.run()),
        copy.to_str().unwrap(),
    ] {
        let checked = verify(&[name, "--key", "signer.pem"]);
        checked.expect_code(0);
        assert!(checked.out().starts_with("valid  "), "{checked:?}");
        let unknown = verify(&[name]);
        unknown.expect_code(1);
        assert!(unknown.out().contains("  no_trusted_key  "), "{unknown:?}");
    }
    let stranger = Done::new();
    let checked = verify(&[done.run(), "--key", stranger.key().to_str().unwrap()]);
    checked.expect_code(1);
    assert!(
        checked
            .out()
            .starts_with("invalid  attestation.dsse.json  "),
        "{checked:?}"
    );
    let refused = verify(&[done.run(), "--key", "no-such.pem"]);
    refused.expect_code(1);
    assert!(
        refused.err().starts_with("error[key_unusable]"),
        "{refused:?}"
    );
    assert_same(&before, &tree(other.root()), "verify");
}

#[test]
fn the_bundle_of_another_run_does_not_pass_for_this_one() {
    let done = Done::new();
    done.case
        .script(json!([{"actions": [{"write": {"path": "made.txt", "content": "right\n"}}]}]));
    let other = done.case.expect_success(&done.case.run());
    fs::remove_dir_all(done.bundle()).unwrap();
    copy_directory(other.bundle.root(), done.bundle());
    let checked = done.dogwatch(&["verify", done.run()]);
    checked.expect_code(1);
    for code in ["  other_run  ", "  other_manifest  "] {
        assert!(checked.out().contains(code), "{checked:?}");
    }
    // By itself it is what it says it is.
    let directory = done.bundle().to_str().unwrap();
    let line = done.looks(&["verify", directory]).out();
    assert!(
        line.contains(other.result["run_id"].as_str().unwrap()),
        "{line}"
    );
}

#[test]
fn logs_are_the_latest_turn_or_what_was_asked_for() {
    let done = Done::new();
    let logs = |args: &[&str]| done.looks(&[&["logs", done.short()], args].concat());
    let second = format!("second words {ESCAPES}\n");
    let stdout = logs(&["--stdout"]);
    assert_eq!(
        stdout.stdout,
        fs::read(done.finished.bundle.turn(2).stdout()).unwrap()
    );
    assert!(stdout.out().starts_with(&second), "{stdout:?}");
    assert_eq!(logs(&["--stderr"]).out(), "an aside\n");
    let both = logs(&[]).out();
    assert!(
        both.contains(&second) && both.contains("an aside\n"),
        "{both}"
    );
    assert!(logs(&["--turn", "1"]).out().starts_with("first words\n"));
    assert_eq!(logs(&["--gate", "tests", "--stdout"]).out(), "right\n");
    assert_eq!(logs(&["--gate", "tests", "--stderr"]).out(), "complaint\n");
    let nothing = logs(&["--gate", "diff_scope"]);
    assert!(
        nothing.out().is_empty() && nothing.err().contains("no output of its own"),
        "{nothing:?}"
    );

    let lines = logs(&["--stderr", "--json"]).out();
    let line: Value = serde_json::from_str(lines.trim_end()).unwrap();
    assert_eq!(
        (&line["stream"], &line["text"]),
        (&json!("stderr"), &json!("an aside\n"))
    );
    assert!(line["at"].is_string());

    for (args, code, part) in [
        (&["--turn", "3"][..], "no_turn", "has turns 1 to 2"),
        (
            &["--gate", "tset"],
            "no_gate",
            "give one of diff_scope, tests",
        ),
    ] {
        let refused = done.dogwatch(&[&["logs", done.short()], args].concat());
        refused.expect_code(1);
        assert!(
            refused.err().contains(&format!("error[{code}]")),
            "{refused:?}"
        );
        assert!(refused.err().contains(part), "{refused:?}");
    }
}

#[test]
fn damage_to_a_capture_is_told_from_its_end() {
    let done = Done::new();
    let frames = done.finished.bundle.turn(2).frames();
    let whole = fs::read(&frames).unwrap();
    fs::write(&frames, &whole[..whole.len() - 1]).unwrap();
    let torn = done.looks(&["logs", done.short()]);
    assert!(torn.err().contains("in the middle of a piece"), "{torn:?}");
    fs::write(&frames, [whole.as_slice(), &[0; 64]].concat()).unwrap();
    let damaged = done.dogwatch(&["logs", done.short()]);
    damaged.expect_code(1);
    assert!(damaged.out().contains("second words"), "{damaged:?}");
    assert!(
        damaged.err().contains("error[capture_damaged]"),
        "{damaged:?}"
    );
}

#[test]
fn what_was_not_stored_is_counted() {
    let case = Case::new(json!([{"actions": [
        {"print_bytes": {"repeat": {"byte": 1, "count": 100_000}}},
    ]}]));
    let ended = case.run_contract(json!({"limits": {"output_bytes": 4096}, "allow_empty": true}));
    case.expect_success(&ended);
    let run = ended.result()["run_id"].as_str().unwrap().to_owned();
    let logs = case.home.run(&mut case.command(["logs", &run]));
    logs.expect_code(0);
    let said = logs.err();
    let dropped: u64 = said
        .strip_prefix("note: ")
        .and_then(|rest| rest.split_once(" bytes of this output were not stored"))
        .and_then(|(count, _)| count.parse().ok())
        .unwrap_or_else(|| panic!("{logs:?}"));
    let stored = logs.stdout.iter().filter(|byte| **byte == 1).count() as u64;
    assert_eq!(stored + dropped, 100_000);
}

#[test]
fn a_run_that_changed_nothing_has_an_empty_patch() {
    let case = Case::new(json!([{}]));
    let ended = case.run_contract(json!({"allow_empty": true}));
    case.expect_success(&ended);
    let run = ended.result()["run_id"].as_str().unwrap().to_owned();
    let diff = case.home.run(&mut case.command(["diff", &run]));
    diff.expect_code(0);
    assert_eq!(diff.out(), "");
    assert!(diff.err().contains("changed nothing"), "{diff:?}");
}

#[test]
fn a_patch_that_is_gone_is_not_one_that_never_was() {
    let done = Done::new();
    fs::remove_file(done.finished.bundle.patch()).unwrap();
    let refused = done.dogwatch(&["diff", done.short()]);
    refused.expect_code(1);
    assert_eq!(refused.out(), "");
    assert!(
        refused.err().contains("error[patch_missing]"),
        "{refused:?}"
    );
    assert!(
        refused.err().contains("\n  next: dogwatch verify"),
        "{refused:?}"
    );
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
