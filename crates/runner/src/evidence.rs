//! What the manifest says of a run, from its journal and its contract, whoever seals it.

use std::ffi::OsStr;
use std::fmt::Write as _;

use dogwatch_bundle::{
    AgentFacts, BundleLayout, ContainmentFacts, ContainmentLevel, GateSummary, ManifestFacts,
    OutcomeFacts, RepoFacts,
};
use dogwatch_core::Timestamp;
use dogwatch_core::contract::Containment;
use dogwatch_core::ids::{JobId, ProjectId, RunId};
use dogwatch_core::limits::Limits;
use dogwatch_core::redact::SecretSet;
use dogwatch_core::run::{RunRefusal, RunState};
use dogwatch_workspace::diff::Status;
use dogwatch_workspace::{ObjectId, Vault, diff};

use crate::binary;
use crate::error::RunnerError;
use crate::files::write_durably;

/// What is known of a run when it is sealed.
pub(crate) struct Known<'a> {
    pub(crate) version: &'a str,
    pub(crate) run: RunId,
    pub(crate) job: JobId,
    pub(crate) project: ProjectId,
    pub(crate) attempt: u32,
    pub(crate) base_commit: &'a str,
    pub(crate) limits: &'a Limits,
    pub(crate) checkout: Option<&'a OsStr>,
    pub(crate) command: &'a [String],
    pub(crate) kill_rung: &'a str,
    pub(crate) state: &'a RunState,
    pub(crate) now: Timestamp,
}

/// The manifest's facts. The journal has to be complete.
pub(crate) fn manifest_facts(known: &Known<'_>) -> Result<ManifestFacts, RunnerError> {
    let state = known.state;
    let started = state.started.as_ref().ok_or(RunRefusal::Start)?;
    let ended = state.ended.as_ref().ok_or(RunRefusal::Ended)?;
    let sha256 = known.base_commit.len() == 64;
    Ok(ManifestFacts {
        dogwatch_version: known.version.to_owned(),
        run_id: known.run,
        job_id: known.job,
        project_id: known.project,
        attempt: known.attempt,
        session_id: started.session_id,
        continues: started.continues,
        start_from: started.start_from,
        created_at: state.started_at.unwrap_or(known.now),
        finished_at: known.now,
        contract_hash: started.contract,
        profile_hash: started.profile,
        repo: RepoFacts {
            base_commit: known.base_commit.to_owned(),
            object_format: if sha256 { "sha256" } else { "sha1" }.to_owned(),
            checkout: known
                .checkout
                .map(|name| name.to_string_lossy().into_owned()),
        },
        tree: ended.tree.clone(),
        agent: AgentFacts {
            name: started.agent.clone(),
            driver: started.driver.clone(),
            command: known.command.to_vec(),
            binary_sha256: known
                .command
                .first()
                .and_then(|program| binary::digest(program)),
            version: None,
        },
        containment: ContainmentFacts {
            level: match state.containment() {
                None | Some(Containment::None) => ContainmentLevel::None,
                Some(Containment::Reduced) => ContainmentLevel::Reduced,
                Some(Containment::Full) => ContainmentLevel::Full,
            },
            kill_rung: known.kill_rung.to_owned(),
        },
        network: "host".to_owned(),
        limits: serde_json::to_value(known.limits).unwrap_or_default(),
        assurance: ended.assurance,
        outcome: OutcomeFacts {
            status: ended.outcome,
            failure: ended.failure.clone(),
        },
        gates: state
            .gates
            .iter()
            .map(|gate| GateSummary {
                gate: gate.gate.clone(),
                result: gate.result,
                must_pass: gate.must_pass,
                acceptance: gate.acceptance,
                code: gate.code.clone(),
            })
            .collect(),
        notes: remarks(state.containment()),
    })
}

/// What a reader of the manifest has to know about how the run was held.
fn remarks(contained: Option<Containment>) -> Vec<String> {
    match contained {
        None => Vec::new(),
        Some(Containment::None) => vec![
            "containment is none: the agent and the gates could read and write whatever their user can"
                .to_owned(),
        ],
        Some(Containment::Reduced | Containment::Full) => vec![
            "the network is the host's: the agent and the gates could send anywhere what they could read"
                .to_owned(),
        ],
    }
}

/// Writes `patch.diff` and `files.txt`. A patch that shows a secret is withheld, and the secret's name given back.
pub(crate) fn write_patch(
    vault: &Vault,
    base: ObjectId,
    tree: ObjectId,
    bundle: &BundleLayout,
    secrets: &SecretSet,
) -> Result<Option<String>, RunnerError> {
    let patch = diff::patch(vault, base, tree)?;
    let shown = secrets.contains_secret(&patch).map(str::to_owned);
    match &shown {
        None => write_durably(&bundle.patch(), &patch)?,
        Some(name) => {
            let text = format!("withheld: the change shows the secret {name}\n");
            write_durably(&bundle.patch(), text.as_bytes())?;
        }
    }
    let mut files = String::new();
    for change in diff::changes(vault, base, tree)? {
        // Control characters in a path are shown, never written as they are.
        let _ = writeln!(files, "{}\t{}", letter(change.status), change.path);
    }
    write_durably(&bundle.files(), files.as_bytes())?;
    Ok(shown)
}

/// git's own letters, which reviewers know.
const fn letter(status: Status) -> char {
    match status {
        Status::Added => 'A',
        Status::Deleted => 'D',
        Status::Modified => 'M',
        Status::TypeChanged => 'T',
    }
}
