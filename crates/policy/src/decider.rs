//! The seam between the engine and whatever evaluates rules.

use dogwatch_core::Sha256Digest;
use dogwatch_core::canonical::{self, CanonicalError};
use dogwatch_core::job::DecisionEffect;
use serde::Serialize;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Action {
    /// A job is submitted.
    #[serde(rename = "job.submit")]
    Submit,
    /// A job is handed to a runner.
    #[serde(rename = "job.dispatch")]
    Dispatch,
    /// The change of a run may land.
    #[serde(rename = "run.promote")]
    Promote,
}

impl Action {
    /// The name used in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "job.submit",
            Self::Dispatch => "job.dispatch",
            Self::Promote => "run.promote",
        }
    }
}

/// A request for a decision. Its canonical bytes are what the decision is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyRequest {
    /// What is asked for.
    pub action: Action,
    /// Who asks.
    pub principal: String,
    /// The project.
    pub project: String,
    /// The topic.
    pub topic: String,
    /// The agent by name.
    pub agent: String,
    /// The contract it would run under.
    pub contract: Sha256Digest,
    /// The machine it would run on, for a dispatch.
    pub machine: Option<String>,
}

impl PolicyRequest {
    /// The digest of the canonical request.
    pub fn digest(&self) -> Result<Sha256Digest, CanonicalError> {
        canonical::to_bytes(self).map(|bytes| Sha256Digest::of(&bytes))
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDecision {
    /// The answer itself.
    pub effect: DecisionEffect,
    /// Why.
    pub reason: String,
}

/// A decision that could not be made. Whoever asked treats it as a denial.
#[derive(Debug, thiserror::Error)]
#[error("policy could not decide: {0}")]
pub struct PolicyError(pub String);

/// Evaluates requests against one fixed snapshot of rules.
pub trait PolicyDecider: Send + Sync {
    /// The snapshot by name and version, such as `builtin:allow-all@1`.
    fn name(&self) -> &str;
    /// The digest of the snapshot.
    fn digest(&self) -> Sha256Digest;
    /// The answer to a request.
    fn decide(&self, request: &PolicyRequest) -> Result<PolicyDecision, PolicyError>;

    /// The answer to a request, where every error is a denial that says so.
    fn decide_closed(&self, request: &PolicyRequest) -> PolicyDecision {
        self.decide(request).unwrap_or_else(|error| PolicyDecision {
            effect: DecisionEffect::Deny,
            reason: error.to_string(),
        })
    }
}
