//! Problems: what every refused request is answered with.

use serde::{Deserialize, Serialize};

/// What the caller can do about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The request itself is wrong.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// The caller may not.
    Forbidden,
    /// The state does not allow it.
    Conflict,
    /// The lease is no longer the caller's.
    LeaseLost,
    /// The control plane cannot answer now.
    Unavailable,
    /// Something is broken that should not be.
    Internal,
}

/// A problem: a stable code, what happened, what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// What the caller can do about it.
    pub kind: ProblemCode,
    /// Stable, in snake case; append only.
    pub code: String,
    /// What happened.
    pub detail: String,
    /// What to do next.
    pub next_action: String,
}

impl Problem {
    /// A problem.
    pub fn new(
        kind: ProblemCode,
        code: &str,
        detail: impl Into<String>,
        next_action: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            detail: detail.into(),
            next_action: next_action.into(),
        }
    }
}
