//! Bundles to test with: built the way a run builds them, journal writer and all.

use std::fs;
use std::path::{Path, PathBuf};

use dogwatch_bundle::{
    AgentFacts, BundleLayout, ContainmentFacts, ContainmentLevel, GateSummary, JournalWriter,
    ManifestFacts, OutcomeFacts, RepoFacts, Sealed, TrustedKey, Verification, seal, verify,
};
use dogwatch_core::event::{Actor, Epoch, Via};
use dogwatch_core::ids::{EventId, JobId, ProjectId, RunId, uuid_v7};
use dogwatch_core::job::{Assurance, RunOutcome, StartFrom};
use dogwatch_core::journal::JournalDraft;
use dogwatch_core::run::{GateResult, Note, RunEnded, RunEvent};
use dogwatch_core::{Sha256Digest, Timestamp};
use ed25519_dalek::SigningKey;
use serde_json::json;
use tempfile::TempDir;

/// When everything happens.
pub(crate) const AT: Timestamp = Timestamp::from_micros(1_763_656_200_000_000);

/// What a bundle is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which run it is.
    pub(crate) run: u8,
    /// How many journal records, the last one included.
    pub(crate) records: u64,
    /// The files of each turn by content.
    pub(crate) turns: Vec<Vec<u8>>,
    /// The gates by name and output.
    pub(crate) gates: Vec<(String, Vec<u8>)>,
    /// The patch.
    pub(crate) patch: Vec<u8>,
    /// The tree.
    pub(crate) tree: Option<String>,
}

impl Plan {
    /// Thirty-two records, three turns, two gates.
    pub(crate) fn reference() -> Self {
        Self {
            run: 1,
            records: 32,
            turns: vec![
                b"one\n".to_vec(),
                b"two\n\xff\n".to_vec(),
                b"three".to_vec(),
            ],
            gates: vec![
                ("unit".to_owned(), b"1 passed\n".to_vec()),
                ("style check".to_owned(), Vec::new()),
            ],
            patch: b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n".to_vec(),
            tree: Some("4b825dc642cb6eb9a060e54bf8d69288fbee4904".to_owned()),
        }
    }

    /// The fewest things a run leaves.
    pub(crate) fn small() -> Self {
        Self {
            run: 1,
            records: 3,
            turns: vec![b"done\n".to_vec()],
            gates: Vec::new(),
            patch: b"+b\n".to_vec(),
            tree: None,
        }
    }
}

/// A bundle in a temporary directory.
pub(crate) struct Bundle {
    _home: TempDir,
    /// Where it is.
    pub(crate) dir: PathBuf,
    /// What its run knows.
    pub(crate) facts: ManifestFacts,
}

/// The key the bundles are signed with.
pub(crate) fn runner_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// That key, trusted.
pub(crate) fn trusted() -> Vec<TrustedKey> {
    vec![trust(&runner_key())]
}

/// Any key, trusted.
pub(crate) fn trust(key: &SigningKey) -> TrustedKey {
    TrustedKey::new(key.verifying_key(), "test").unwrap()
}

/// The id of a run.
pub(crate) fn run_id(byte: u8) -> RunId {
    RunId::from_uuid(uuid_v7(AT, &[byte; 10]))
}

/// An event without a place.
pub(crate) fn draft(run: u8, number: u64, event: RunEvent) -> JournalDraft {
    let (kind, data) = event.into_parts();
    let mut random = [run; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    JournalDraft {
        id: EventId::from_uuid(uuid_v7(AT, &random)),
        kind,
        at: AT,
        actor: Actor::new("runner:test", Via::Runner),
        cause: None,
        trace: None,
        project: ProjectId::from_uuid(uuid_v7(AT, &[90; 10])),
        job: Some(JobId::from_uuid(uuid_v7(AT, &[91; 10]))),
        epoch: Some(Epoch(1)),
        data,
    }
}

/// A record that says nothing much.
pub(crate) fn note(run: u8, number: u64) -> JournalDraft {
    let text = format!("note {number}");
    let code = "test".to_owned();
    draft(run, number, RunEvent::Noted(Note { code, text }))
}

/// The last record.
pub(crate) fn ended(facts: &ManifestFacts, run: u8, number: u64) -> JournalDraft {
    let ended = RunEnded {
        outcome: facts.outcome.status,
        failure: facts.outcome.failure.clone(),
        tree: facts.tree.clone(),
        assurance: facts.assurance,
        turns: 1,
    };
    draft(run, number, RunEvent::Ended(ended))
}

fn facts(plan: &Plan, contract: &[u8], profile: &[u8]) -> ManifestFacts {
    ManifestFacts {
        dogwatch_version: "0.1.0".to_owned(),
        run_id: run_id(plan.run),
        job_id: JobId::from_uuid(uuid_v7(AT, &[91; 10])),
        project_id: ProjectId::from_uuid(uuid_v7(AT, &[90; 10])),
        attempt: 1,
        session_id: None,
        continues: None,
        start_from: StartFrom::Base,
        created_at: AT,
        finished_at: AT,
        contract_hash: Sha256Digest::of(contract),
        profile_hash: Sha256Digest::of(profile),
        repo: RepoFacts {
            base_commit: "1".repeat(40),
            object_format: "sha1".to_owned(),
            checkout: Some("sample".to_owned()),
        },
        tree: plan.tree.clone(),
        agent: AgentFacts {
            name: "scripted".to_owned(),
            driver: "exec".to_owned(),
            command: vec!["agent".to_owned(), "--fast".to_owned()],
            binary_sha256: Some(Sha256Digest::of(b"agent")),
            version: None,
        },
        containment: ContainmentFacts {
            level: ContainmentLevel::None,
            kill_rung: "pid_namespace".to_owned(),
        },
        network: "host".to_owned(),
        limits: json!({"max_turns": 3, "stall_seconds": 1.5}),
        assurance: Assurance::Gates,
        outcome: OutcomeFacts {
            status: RunOutcome::Succeeded,
            failure: None,
        },
        gates: plan
            .gates
            .iter()
            .map(|(gate, _)| GateSummary {
                gate: gate.clone(),
                result: GateResult::Passed,
                must_pass: true,
                acceptance: true,
                code: "passed".to_owned(),
            })
            .collect(),
        notes: Vec::new(),
    }
}

impl Bundle {
    /// A bundle that is complete but not sealed.
    pub(crate) fn open(plan: &Plan) -> Self {
        // In memory where possible: what is tested is bytes, and every record waits for its disk.
        let home = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let dir = home.path().join(run_id(plan.run).to_string());
        fs::create_dir(&dir).unwrap();
        let layout = BundleLayout::new(&dir);
        let (contract, profile) = (br#"{"task":"fix it"}"#, br#"{"agents":{}}"#);
        fs::write(layout.contract(), contract).unwrap();
        fs::write(layout.profile(), profile).unwrap();
        fs::write(layout.patch(), &plan.patch).unwrap();
        fs::write(layout.files(), "x\n").unwrap();
        for (number, content) in (1..).zip(&plan.turns) {
            let turn = layout.turn(number);
            fs::create_dir_all(&turn.dir).unwrap();
            fs::write(turn.prompt(), format!("turn {number}")).unwrap();
            fs::write(turn.stdout(), content).unwrap();
            fs::write(turn.stderr(), "").unwrap();
        }
        for (name, output) in &plan.gates {
            let gate = layout.gate(name);
            fs::create_dir_all(&gate.dir).unwrap();
            fs::write(gate.result(), r#"{"exit":0}"#).unwrap();
            fs::write(gate.stdout(), output).unwrap();
        }
        let facts = facts(plan, contract, profile);
        let mut writer = JournalWriter::create(layout.journal(), facts.run_id).unwrap();
        for number in 1..plan.records {
            writer.append(note(plan.run, number)).unwrap();
        }
        writer
            .append(ended(&facts, plan.run, plan.records))
            .unwrap();
        Self {
            _home: home,
            dir,
            facts,
        }
    }

    /// A sealed bundle that verifies.
    pub(crate) fn sealed(plan: &Plan) -> Self {
        let bundle = Self::open(plan);
        bundle.seal();
        fs::create_dir(bundle.dir.join("reports")).unwrap();
        fs::write(bundle.dir.join("reports/brief.md"), "all good").unwrap();
        let verification = bundle.verify();
        assert!(verification.valid, "{:?}", verification.findings);
        bundle
    }

    /// Seals it with the runner's key.
    pub(crate) fn seal(&self) -> Sealed {
        seal(&self.dir, self.facts.clone(), &runner_key()).unwrap()
    }

    /// Checks it against the runner's key.
    pub(crate) fn verify(&self) -> Verification {
        verify(&self.dir, &trusted())
    }

    /// Checks that it is invalid and that a finding has this code and path.
    #[track_caller]
    pub(crate) fn expect(&self, code: &str, path: &str) {
        let verification = self.verify();
        assert!(!verification.valid);
        let found = verification
            .findings
            .iter()
            .any(|finding| finding.code == code && finding.path == path);
        assert!(found, "no {code} at {path}: {:?}", verification.findings);
    }

    /// A file of the bundle.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The bytes of a file of the bundle.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Replaces a file of the bundle.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }
}

/// Every file under a directory, relative, in order.
pub(crate) fn files_under(dir: &Path) -> Vec<String> {
    fn visit(dir: &Path, prefix: &str, names: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                visit(&entry.path(), &format!("{name}/"), names);
            } else {
                names.push(name);
            }
        }
    }
    let mut names = Vec::new();
    visit(dir, "", &mut names);
    names.sort();
    names
}
