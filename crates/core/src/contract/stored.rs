//! The contract as it is stored: canonical bytes and their hash.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acceptance::{Acceptance, AcceptanceDraft};
use super::draft::{CONTRACT_SCHEMA, Containment, ContractDraft, RetryDraft, ReviewDraft};
use super::paths::{PathRuleError, PathRules};
use super::timeout::Timeout;
use super::validate::is_object_id;
use crate::canonical::{self, CanonicalError, Sha256Digest};
use crate::limits::{LIMITS, Limits};
use crate::strict::{Document, Problem, Problems};

/// The most runs a job may have.
pub const MAX_ATTEMPTS: u32 = 3;

/// How often a job is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many runs a job may have in all.
    #[schemars(range(min = 1, max = 3))]
    pub max_attempts: u32,
}

/// How long an approval waits for its decision if nobody says otherwise, in milliseconds: a day.
pub const DEFAULT_APPROVAL_MS: u64 = 86_400_000;

/// What a person has to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Whether nothing of the job executes before a person approves it.
    pub approve_before_start: bool,
    /// How long an approval of this job waits for its decision before it counts as no, in milliseconds. 0 denies at once.
    pub approval_ms: u64,
}

/// A contract with every default in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "dogwatch stored contract")]
pub struct Contract {
    /// The version of the contract's language.
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// What is to be done.
    pub task: String,
    /// The agent that does it.
    pub agent: String,
    /// What the person called the base.
    pub base_ref: String,
    /// The commit that was when the contract was submitted.
    #[schemars(regex(pattern = "^([0-9a-f]{40}|[0-9a-f]{64})$"))]
    pub base_commit: String,
    /// Paths that may change.
    pub allowed_paths: Vec<String>,
    /// Paths that may not change, whatever is allowed.
    pub forbidden_paths: Vec<String>,
    /// The gates a result has to pass, in order.
    pub acceptance: Vec<Acceptance>,
    /// Whether changing nothing is a success.
    pub allow_empty: bool,
    /// Whether the workspace of a run is left in place when it is done.
    pub keep_workspace: bool,
    /// How far the run is kept apart from the machine.
    pub containment: Containment,
    /// The limits of every run.
    pub limits: Limits,
    /// How often the job is tried.
    pub retry: Retry,
    /// What a person has to look at.
    pub review: Review,
}

/// The bytes of a contract and their hash. The hash is over exactly these bytes and is never taken from a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredContract {
    /// Canonical JSON.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub hash: Sha256Digest,
}

/// Stored bytes that are not the contract they should be.
#[derive(Debug, thiserror::Error)]
pub enum StoredContractError {
    /// Other bytes than the ones that were hashed.
    #[error("contract bytes hash to {found}, not to {expected}")]
    Hash {
        /// The hash on record.
        expected: Sha256Digest,
        /// The hash of the bytes.
        found: Sha256Digest,
    },
    /// Not canonical JSON, so dogwatch did not write it.
    #[error("contract bytes are not canonical JSON")]
    NotCanonical,
    /// Canonical JSON that is no contract.
    #[error("contract bytes are not a contract of schema {CONTRACT_SCHEMA}")]
    NotAContract(#[source] serde_json::Error),
    /// A contract that would never have been accepted.
    #[error("stored contract is invalid: {}", list(.0))]
    Invalid(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    problems.join(" | ")
}

impl Contract {
    /// The bytes to store. Called once, at submit.
    pub fn to_stored(&self) -> Result<StoredContract, CanonicalError> {
        let bytes = canonical::to_bytes(self)?;
        let hash = Sha256Digest::of(&bytes);
        Ok(StoredContract { bytes, hash })
    }

    /// The path rules, ready to match. The error names the rule.
    pub fn path_rules(&self) -> Result<PathRules, (String, PathRuleError)> {
        PathRules::new(&self.allowed_paths, &self.forbidden_paths)
    }

    /// The draft that says all of it.
    pub fn to_draft(&self) -> ContractDraft {
        ContractDraft {
            schema: self.schema,
            task: self.task.clone(),
            agent: Some(self.agent.clone()),
            base_ref: Some(self.base_ref.clone()),
            allowed_paths: Some(self.allowed_paths.clone()),
            forbidden_paths: Some(self.forbidden_paths.clone()),
            acceptance: Some(self.acceptance.iter().map(AcceptanceDraft::from).collect()),
            allow_empty: Some(self.allow_empty),
            keep_workspace: Some(self.keep_workspace),
            containment: Some(self.containment),
            limits: Some((&self.limits).into()),
            retry: Some(RetryDraft {
                max_attempts: Some(self.retry.max_attempts),
            }),
            review: Some(ReviewDraft {
                approve_before_start: Some(self.review.approve_before_start),
                approval_timeout: Some(Timeout::from_millis(self.review.approval_ms)),
            }),
        }
    }

    fn problems(&self) -> Vec<Problem> {
        use crate::strict::ProblemCode::{InvalidValue, LimitZero};
        let mut problems = Problems::default();
        self.to_draft().check_all(&mut problems);
        if !is_object_id(&self.base_commit) {
            let message = format!("`base_commit` is {:?}, not an object id", self.base_commit);
            problems.push(Problem::new(InvalidValue, "base_commit", message));
        }
        for spec in LIMITS {
            let path = format!("limits.{}", spec.name);
            match self.limits.get(spec.name) {
                Some(0) => {
                    let message = format!("`{path}` is 0");
                    problems.push(Problem::new(LimitZero, path, message));
                }
                Some(value) if value < spec.minimum => {
                    let message = format!("`{path}` is {value}, below {}", spec.minimum);
                    problems.push(Problem::new(InvalidValue, path, message));
                }
                Some(_) | None => {}
            }
        }
        problems.into_vec()
    }
}

impl StoredContract {
    /// Reads stored bytes, holding them to the hash on record.
    pub fn parse(bytes: &[u8], expected: Sha256Digest) -> Result<Contract, StoredContractError> {
        let found = Sha256Digest::of(bytes);
        if found != expected {
            return Err(StoredContractError::Hash { expected, found });
        }
        let value = std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| Document::from_json(text).ok())
            .filter(|document| document.problems.is_empty())
            .map(|document| document.value)
            .ok_or(StoredContractError::NotCanonical)?;
        match canonical::value_to_bytes(&value) {
            Ok(canonical) if canonical == bytes => {}
            Ok(_) | Err(_) => return Err(StoredContractError::NotCanonical),
        }
        let contract: Contract =
            serde_json::from_value(value).map_err(StoredContractError::NotAContract)?;
        let problems = contract.problems();
        if problems.is_empty() {
            Ok(contract)
        } else {
            Err(StoredContractError::Invalid(problems))
        }
    }
}
