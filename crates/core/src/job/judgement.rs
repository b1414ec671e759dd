//! What people say about a closed run: that its change is wanted, or that it is not, and where it landed.

use serde::{Deserialize, Serialize};

use crate::canonical::Sha256Digest;
use crate::ids::TokenId;
use crate::time::Timestamp;

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JudgementKind {
    /// The change is wanted: it may land.
    Promote,
    /// It is not.
    Reject,
}

impl JudgementKind {
    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Reject => "reject",
        }
    }
}

/// A person's word about a run. It is about the exact evidence, named by the digest of its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// What is said.
    pub kind: JudgementKind,
    /// The manifest of the sealed bundle it is about.
    pub manifest: Sha256Digest,
    /// Why, clipped.
    pub reason: Option<String>,
    /// The person, as events name them.
    pub by: String,
    /// The token that was presented.
    pub token: Option<TokenId>,
    /// When.
    pub at: Timestamp,
}

/// How a change came into a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LandedHow {
    /// The branch was at the base and moved forward.
    FastForward,
    /// A new branch was made.
    Branch,
    /// The branch had moved, and a merge commit joined both.
    Merge,
}

/// Where the change of a promoted run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Landed {
    /// How.
    pub how: LandedHow,
    /// The branch, as a full ref name.
    pub reference: String,
    /// The commit it is at since.
    pub commit: String,
}
