//! A run that succeeded, ready to be judged.

use std::fs;
use std::path::PathBuf;

use dogwatch_bundle::{Verification, load_trusted_keys, verify};
use dogwatch_testkit::Repo;
use serde_json::{Value, json};

use crate::record::Record;
use crate::support::{Case, Ended, Finished};

/// What the agent says of its work.
pub(super) const SUMMARY: &str = "made answer.txt";

/// A repository with two files and a run that changed one and added one.
pub(super) struct Stage {
    pub(super) case: Case,
    pub(super) finished: Finished,
    /// The commit the run started from.
    pub(super) base: String,
}

impl Stage {
    #[track_caller]
    pub(super) fn new() -> Self {
        Self::of(json!([{
            "actions": [
                {"write": {"path": "answer.txt", "content": "42\n"}},
                {"append": {"path": "notes.txt", "content": "by the agent\n"}},
            ],
            "respond": {"status": "done", "summary": SUMMARY},
        }]))
    }

    #[track_caller]
    pub(super) fn of(turns: Value) -> Self {
        let repo = Repo::init();
        repo.write("README.md", "# A project\n")
            .write("notes.txt", "first\n")
            .write(".gitignore", "*.log\n")
            .commit("start");
        let case = Case::in_repo(repo, turns);
        let finished = case.expect_success(&case.run());
        Self::of_run(case, finished)
    }

    /// A run of the test's own making.
    pub(super) fn of_run(case: Case, finished: Finished) -> Self {
        Self {
            base: case.repo.head(),
            case,
            finished,
        }
    }

    pub(super) fn run_id(&self) -> &str {
        self.finished.result["run_id"].as_str().expect("a run")
    }

    /// `promote` with these arguments, as a program reads it.
    pub(super) fn promote(&self, args: &[&str]) -> Ended {
        let args = [&["promote", self.run_id(), "--json"], args].concat();
        self.case.dogwatch(&args)
    }

    /// `promote` that has to succeed: what it says.
    #[track_caller]
    pub(super) fn promoted(&self, args: &[&str]) -> Value {
        said(&self.promote(args))
    }

    /// What is recorded about the run.
    #[track_caller]
    pub(super) fn header(&self) -> Value {
        let ended = self
            .case
            .dogwatch(&["runs", "show", self.run_id(), "--json"]);
        said(&ended)["header"].clone()
    }

    /// The check of the bundle as it is now.
    pub(super) fn verification(&self) -> Verification {
        let keys = load_trusted_keys(&self.case.home.data()).expect("the trusted keys");
        verify(self.finished.bundle.root(), &keys)
    }

    /// The statements in the bundle, by name.
    pub(super) fn statements(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.finished.bundle.verdicts()) else {
            return Vec::new();
        };
        let mut found: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        found.sort();
        found
    }

    /// Nothing happened to the repository, and nothing of it is on record.
    #[track_caller]
    pub(super) fn is_untouched(&self, head: &str) {
        assert_eq!(self.case.repo.head(), head);
        assert_eq!(self.header()["landed"], Value::Null);
        assert!(self.statements().is_empty());
        self.is_tidy();
    }

    /// Nothing that is dogwatch's own is among the refs of the repository, and no landing is half done.
    #[track_caller]
    pub(super) fn is_tidy(&self) {
        let repo = &self.case.repo;
        assert_eq!(repo.git(["for-each-ref", "refs/dogwatch"]).text(), "");
        let landing = repo.path().join(".git/dogwatch/landing");
        assert!(!landing.join("record.json").exists());
        assert!(!repo.path().join(".git/index.lock").exists());
        Record::read(&self.case.home.data()).upholds_invariants(&[]);
    }

    /// The repository has the result on `reference`, with trailers that name run and evidence.
    #[track_caller]
    pub(super) fn has_landed(&self, reference: &str) {
        let repo = &self.case.repo;
        let show = |what: &str| repo.git(["show", &format!("{reference}:{what}")]).text();
        assert_eq!(show("answer.txt"), "42");
        assert!(show("notes.txt").contains("by the agent"));
        let message = repo.git(["log", "-1", "--format=%B", reference]).text();
        let run = format!("Dogwatch-Run: {}", self.run_id());
        let bundle = format!(
            "Dogwatch-Bundle: {}",
            self.verification().manifest_digest.expect("a digest")
        );
        assert!(
            message.contains(&run) && message.contains(&bundle),
            "{message}"
        );
        let header = self.header();
        assert_eq!(header["landed"]["reference"], reference);
        assert_eq!(header["landed"]["commit"], repo.resolve(reference));
        assert_eq!(header["judgement"]["kind"], "promote");
        let verification = self.verification();
        assert!(verification.valid, "{:?}", verification.findings);
        let verdict = verification.verdicts.last().expect("a verdict");
        let landed = verdict.predicate.landed.as_ref().expect("a place");
        assert_eq!(landed.reference, reference);
        assert_eq!(landed.commit, repo.resolve(reference));
        self.is_tidy();
    }
}

/// The document a command printed that succeeded.
#[track_caller]
pub(super) fn said(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.out).expect("a document")
}
