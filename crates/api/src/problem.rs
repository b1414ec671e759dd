//! Problems: what every refused request is answered with.

use std::collections::BTreeMap;

use dogwatch_core::schemars;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the caller can do about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "dogwatch_core::schemars")]
pub enum ProblemCode {
    /// The request itself is wrong.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// Nobody knows who the caller is.
    Unauthenticated,
    /// The caller may not.
    Forbidden,
    /// The request is larger than is read.
    TooLarge,
    /// The request is of a kind that is not read.
    Unsupported,
    /// Too many requests at once.
    TooMany,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
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
    /// What a program needs to go on, such as the `expected` offset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Value>,
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
            facts: BTreeMap::new(),
        }
    }

    /// The same with something a program needs to go on.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}
