//! The manifest: everything that is known about a run, and the digest of every file that shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use dogwatch_core::canonical::{self, CanonicalError};
use dogwatch_core::ids::{JobId, ProjectId, RunId, SessionId};
use dogwatch_core::job::{Assurance, RunOutcome, StartFrom};
use dogwatch_core::run::GateResult;
use dogwatch_core::{Failure, Sha256Digest, Timestamp};

/// The version of the manifest's own form.
pub const MANIFEST_SCHEMA: u32 = 1;

/// The version of the bundle's layout and rules.
pub const BUNDLE_VERSION: u32 = 1;

/// The largest manifest that is read.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

/// The manifest as it stands in the bundle, in its canonical bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_SCHEMA`].
    pub schema: u32,
    /// What wrote it.
    pub versions: Versions,
    /// The run.
    pub run_id: RunId,
    /// Its job.
    pub job_id: JobId,
    /// Its project.
    pub project_id: ProjectId,
    /// Which attempt of the job it was, from 1.
    pub attempt: u32,
    /// The agent session it belonged to.
    pub session_id: Option<SessionId>,
    /// The run it continued.
    pub continues: Option<RunId>,
    /// What its workspace started from.
    pub start_from: StartFrom,
    /// When the run was created.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// The digest of `contract.json`.
    pub contract_hash: Sha256Digest,
    /// The digest of `profile.json`.
    pub profile_hash: Sha256Digest,
    /// Where the work came from.
    pub repo: RepoFacts,
    /// The tree T the run left, if it left one.
    pub tree: Option<String>,
    /// Who did the work.
    pub agent: AgentFacts,
    /// How the agent was held.
    pub containment: ContainmentFacts,
    /// What network it had.
    pub network: String,
    /// The limits that applied.
    pub limits: Value,
    /// What stands behind a success.
    pub assurance: Assurance,
    /// How it ended.
    pub outcome: OutcomeFacts,
    /// The gates of the last round.
    pub gates: Vec<GateSummary>,
    /// How long the journal is and where it ends.
    pub journal: JournalFacts,
    /// Every file the seal covers, by its path inside the bundle.
    pub files: BTreeMap<String, FileFacts>,
    /// Remarks for a reader, such as what was left out and why. They decide nothing.
    pub notes: Vec<String>,
}

/// What the run knows about itself. The seal adds the journal and the files.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestFacts {
    /// The version of dogwatch.
    pub dogwatch_version: String,
    /// See [`Manifest::run_id`].
    pub run_id: RunId,
    /// See [`Manifest::job_id`].
    pub job_id: JobId,
    /// See [`Manifest::project_id`].
    pub project_id: ProjectId,
    /// See [`Manifest::attempt`].
    pub attempt: u32,
    /// See [`Manifest::session_id`].
    pub session_id: Option<SessionId>,
    /// See [`Manifest::continues`].
    pub continues: Option<RunId>,
    /// See [`Manifest::start_from`].
    pub start_from: StartFrom,
    /// See [`Manifest::created_at`].
    pub created_at: Timestamp,
    /// See [`Manifest::finished_at`].
    pub finished_at: Timestamp,
    /// See [`Manifest::contract_hash`].
    pub contract_hash: Sha256Digest,
    /// See [`Manifest::profile_hash`].
    pub profile_hash: Sha256Digest,
    /// See [`Manifest::repo`].
    pub repo: RepoFacts,
    /// See [`Manifest::tree`].
    pub tree: Option<String>,
    /// See [`Manifest::agent`].
    pub agent: AgentFacts,
    /// See [`Manifest::containment`].
    pub containment: ContainmentFacts,
    /// See [`Manifest::network`].
    pub network: String,
    /// See [`Manifest::limits`].
    pub limits: Value,
    /// See [`Manifest::assurance`].
    pub assurance: Assurance,
    /// See [`Manifest::outcome`].
    pub outcome: OutcomeFacts,
    /// See [`Manifest::gates`].
    pub gates: Vec<GateSummary>,
    /// See [`Manifest::notes`].
    pub notes: Vec<String>,
}

/// What wrote a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The version of dogwatch.
    pub dogwatch: String,
    /// [`BUNDLE_VERSION`].
    pub bundle: u32,
}

/// Where the work came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepoFacts {
    /// The base commit.
    pub base_commit: String,
    /// `sha1` or `sha256`.
    pub object_format: String,
    /// The name of the checkout's directory, never its absolute path.
    pub checkout: Option<String>,
}

/// Who did the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentFacts {
    /// Its name in the configuration.
    pub name: String,
    /// How it was spoken to.
    pub driver: String,
    /// Its command line.
    pub command: Vec<String>,
    /// The digest of its executable, where one was found.
    pub binary_sha256: Option<Sha256Digest>,
    /// What it calls its version.
    pub version: Option<String>,
}

/// How tightly an agent was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainmentLevel {
    /// Not held: it could write wherever its user can.
    None,
    /// Some of it was missing.
    Reduced,
    /// Writes land only where they may.
    Full,
}

/// How the agent was held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainmentFacts {
    /// How tightly.
    pub level: ContainmentLevel,
    /// How its process tree was ended: `pid_namespace`, `subreaper`.
    pub kill_rung: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeFacts {
    /// The end.
    pub status: RunOutcome,
    /// Why, for everything but a success.
    pub failure: Option<Failure>,
}

/// A gate in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateSummary {
    /// Its name.
    pub gate: String,
    /// What it says.
    pub result: GateResult,
    /// Whether the run could not succeed without it.
    pub must_pass: bool,
    /// Whether it is one of the contract's acceptance commands.
    pub acceptance: bool,
    /// A stable code.
    pub code: String,
}

/// How long a journal is and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalFacts {
    /// How many lines it has.
    pub count: u64,
    /// The link a next line would carry.
    pub head: Sha256Digest,
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// The digest of its bytes.
    pub sha256: Sha256Digest,
    /// How many there are.
    pub bytes: u64,
}

/// Bytes that are not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a field is missing, unknown or of the wrong type.
    #[error("the file is not a manifest")]
    Unparsable(#[source] serde_json::Error),
    /// Written by another version.
    #[error(
        "the manifest has schema {schema} and bundle version {bundle}, not {MANIFEST_SCHEMA} and {BUNDLE_VERSION}"
    )]
    Version {
        /// Its schema.
        schema: u32,
        /// Its bundle version.
        bundle: u32,
    },
    /// Not in its one spelling.
    #[error("the file is not the canonical spelling of its manifest")]
    NotCanonical,
}

impl Manifest {
    /// Joins what the run knows with what the seal saw.
    pub(crate) fn assemble(
        facts: ManifestFacts,
        journal: JournalFacts,
        files: BTreeMap<String, FileFacts>,
    ) -> Self {
        Self {
            schema: MANIFEST_SCHEMA,
            versions: Versions {
                dogwatch: facts.dogwatch_version,
                bundle: BUNDLE_VERSION,
            },
            run_id: facts.run_id,
            job_id: facts.job_id,
            project_id: facts.project_id,
            attempt: facts.attempt,
            session_id: facts.session_id,
            continues: facts.continues,
            start_from: facts.start_from,
            created_at: facts.created_at,
            finished_at: facts.finished_at,
            contract_hash: facts.contract_hash,
            profile_hash: facts.profile_hash,
            repo: facts.repo,
            tree: facts.tree,
            agent: facts.agent,
            containment: facts.containment,
            network: facts.network,
            limits: facts.limits,
            assurance: facts.assurance,
            outcome: facts.outcome,
            gates: facts.gates,
            journal,
            files,
            notes: facts.notes,
        }
    }

    /// The exact bytes of the file: the canonical form, without a line end.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_bytes(self)
    }

    /// Reads the file strictly: known fields, known versions, canonical bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(ManifestError::Unparsable)?;
        if manifest.schema != MANIFEST_SCHEMA || manifest.versions.bundle != BUNDLE_VERSION {
            return Err(ManifestError::Version {
                schema: manifest.schema,
                bundle: manifest.versions.bundle,
            });
        }
        if manifest.to_bytes().ok().as_deref() != Some(bytes) {
            return Err(ManifestError::NotCanonical);
        }
        Ok(manifest)
    }
}
