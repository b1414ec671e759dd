//! Asking a person, and deciding.

use dogwatch_core::ids::{ApprovalId, JobId, ProjectId, RunId};
use dogwatch_core::job::{Approval, ApprovalState};
use dogwatch_core::schemars;
use serde::{Deserialize, Serialize};

use super::HeldLease;

/// A running agent asks a person. Its own token says which run it is.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct RequestApproval {
    /// The lease of the run, where the runner asks; an agent's own token names it already.
    #[serde(default)]
    pub held: Option<HeldLease>,
    /// The run.
    pub run: RunId,
    /// The approval's id, chosen by the caller so that the call can be repeated; one is made if not given.
    #[serde(default)]
    pub id: Option<ApprovalId>,
    /// What it wants to do: any JSON, at most 1,200 bytes in canonical form. This and nothing else is what is approved.
    pub action: serde_json::Value,
    /// Why.
    pub reason: String,
    /// How long it waits for a decision, in milliseconds; what the contract says if not given, and never longer.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// An approval and where it belongs.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ApprovalView {
    /// The job.
    pub job: JobId,
    /// Its project.
    pub project: ProjectId,
    /// The first line of the job's task. Untrusted text.
    pub title: String,
    /// The approval.
    pub approval: Approval,
}

/// Which approvals to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ListApprovals {
    /// Of one project.
    #[serde(default)]
    pub project: Option<ProjectId>,
    /// In one of these states; pending ones if empty.
    #[serde(default)]
    pub states: Vec<ApprovalState>,
    /// The most items, 1 to 500; 50 if not given.
    #[serde(default)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A page of approvals, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ApprovalPage {
    /// The approvals.
    pub items: Vec<ApprovalView>,
    /// Where the next page starts, if there is one.
    pub next_cursor: Option<String>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "dogwatch_core::schemars")]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

/// A person decides.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct DecideApproval {
    /// The approval.
    pub approval: ApprovalId,
    /// What they say.
    pub verdict: Verdict,
    /// With which words.
    #[serde(default)]
    pub note: Option<String>,
}
