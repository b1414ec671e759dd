//! Looking at runs.

use std::collections::BTreeMap;

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, ProjectId, RunId};
use dogwatch_core::job::{Landed, RunHeader};
use dogwatch_core::run::RunState;
use dogwatch_core::schemars;
use serde::{Deserialize, Serialize};

use super::OutputStream;

/// Which runs to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ListRuns {
    /// Of one project.
    #[serde(default)]
    pub project: Option<ProjectId>,
    /// Of one job.
    #[serde(default)]
    pub job: Option<JobId>,
    /// The most items, 1 to 500; 50 if not given.
    #[serde(default)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A run: its header and what its journal says so far.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct RunDetail {
    /// Its id.
    pub id: RunId,
    /// Its job.
    pub job: JobId,
    /// Its project.
    pub project: ProjectId,
    /// What the control stream says.
    pub header: RunHeader,
    /// What its journal says.
    pub state: RunState,
}

/// What a person says about a closed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "dogwatch_core::schemars")]
pub enum RunVerdict {
    /// Its change is wanted, and may land.
    Promote,
    /// It is not wanted.
    Reject,
}

/// A person judges a closed run.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct JudgeRun {
    /// The run.
    pub run: RunId,
    /// What they say.
    pub verdict: RunVerdict,
    /// The manifest of the evidence they looked at: the verdict is about that and nothing else.
    pub manifest: Sha256Digest,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The change of a promoted run came into a repository.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct LandRun {
    /// The run.
    pub run: RunId,
    /// The manifest of the evidence it was promoted with.
    pub manifest: Sha256Digest,
    /// Where it is.
    pub landed: Landed,
}

/// A page of runs, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct RunPage {
    /// The runs.
    pub items: Vec<RunDetail>,
    /// Where the next page starts, if there is one.
    pub next_cursor: Option<String>,
}

/// Which piece of what an agent printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ReadOutput {
    /// The run.
    pub run: RunId,
    /// The turn.
    pub turn: u32,
    /// Which stream.
    pub stream: OutputStream,
    /// From where, in bytes.
    pub offset: u64,
    /// The most bytes; at most 1 MiB.
    pub limit: u32,
}

/// A piece of what an agent printed.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct OutputPiece {
    /// Where it starts.
    pub offset: u64,
    /// How long the stream is so far.
    pub length: u64,
    /// The bytes, as base64. Untrusted.
    #[serde(with = "super::text::base64")]
    #[schemars(with = "String")]
    pub bytes: Vec<u8>,
}

/// One stream of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct OutputLength {
    /// The turn.
    pub turn: u32,
    /// Which stream.
    pub stream: OutputStream,
    /// How long it is so far, in bytes.
    pub length: u64,
}

/// What a run's agent printed, by turn and stream.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct OutputList {
    /// The streams.
    pub items: Vec<OutputLength>,
}

/// The files of a run's bundle.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct BundleFiles {
    /// The run.
    pub run: RunId,
    /// The digests by path; each is a blob.
    pub files: BTreeMap<String, Sha256Digest>,
}
