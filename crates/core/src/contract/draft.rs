//! What a person writes, and everything that can be wrong with it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acceptance::{self, AcceptanceDraft, read_acceptance};
use super::reserved::{key_problems, reserve_contract_fields};
use super::schema::contract_schema;
use super::stored::MAX_ATTEMPTS;
use super::timeout::Timeout;
use super::{paths, validate};
use crate::limits::LimitsDraft;
use crate::strict::{Document, Fields, Problem, ProblemCode, Problems, index};

/// The version of the contract's language.
pub const CONTRACT_SCHEMA: u32 = 1;

/// The longest task.
pub const MAX_TASK_BYTES: usize = 256 * 1024;

/// How far a run is kept apart from the machine, from the least to the most.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Containment {
    /// Not at all: its own process tree and a private clone, nothing more.
    None,
    /// A view of the machine of its own, in which only its workspace, its home and its temporary directories can be written; but as root
    /// without capabilities, or without one of the second layers.
    #[default]
    Reduced,
    /// The same as an ordinary user in namespaces of its own, with every layer this build knows.
    Full,
}

impl Containment {
    /// The name used in contracts and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reduced => "reduced",
            Self::Full => "full",
        }
    }
}

/// How often a job is tried, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryDraft {
    /// How many runs a job may have in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3))]
    pub max_attempts: Option<u32>,
}

/// What a person has to look at, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewDraft {
    /// Whether nothing of the job executes before a person approves it; false if not given. Every start needs an approval of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve_before_start: Option<bool>,
    /// How long an approval waits for its decision before it counts as no; `24h` if not given, `0s` denies at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_timeout: Option<Timeout>,
}

/// A contract as a person writes it: what is left out has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "dogwatch contract", transform = reserve_contract_fields)]
pub struct ContractDraft {
    /// The version of this language: 1.
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// What is to be done.
    #[schemars(length(min = 1))]
    pub task: String,
    /// The agent that does it; the configured default if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub agent: Option<String>,
    /// The branch, tag or full object id the work starts from; HEAD if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_ref: Option<String>,
    /// Paths that may change, as gitignore-style globs without negation; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub allowed_paths: Option<Vec<String>>,
    /// Paths that may not change, whatever is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forbidden_paths: Option<Vec<String>>,
    /// The gates a result has to pass, on top of the project's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Vec<AcceptanceDraft>>,
    /// Whether changing nothing is a success; false if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_empty: Option<bool>,
    /// Whether the workspace of a run is left in place when it is done; what the configuration says if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_workspace: Option<bool>,
    /// How far the run is kept apart from the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containment: Option<Containment>,
    /// Limits that differ from the configured ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsDraft>,
    /// How often the job is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryDraft>,
    /// What a person has to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewDraft>,
}

/// A contract that is refused, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ContractError {
    /// Never empty; in the order of the text where that is known.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("contract is refused")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {}: {problem}", problem.code))
    }
}

impl ContractDraft {
    /// The draft of a task about which nothing else was said.
    pub fn of_task(task: impl Into<String>) -> Self {
        Self {
            schema: CONTRACT_SCHEMA,
            task: task.into(),
            agent: None,
            base_ref: None,
            allowed_paths: None,
            forbidden_paths: None,
            acceptance: None,
            allow_empty: None,
            keep_workspace: None,
            containment: None,
            limits: None,
            retry: None,
            review: None,
        }
    }

    /// Reads a contract in TOML.
    pub fn from_toml(text: &str) -> Result<Self, ContractError> {
        Self::from_document(Document::from_toml(text))
    }

    /// Reads a contract in JSON.
    pub fn from_json(text: &str) -> Result<Self, ContractError> {
        Self::from_document(Document::from_json(text))
    }

    fn from_document(document: Result<Document, Problem>) -> Result<Self, ContractError> {
        let document = document.map_err(|problem| ContractError {
            problems: vec![problem],
        })?;
        let mut problems = document.problems.clone();
        key_problems(
            contract_schema(),
            &document.value,
            "a contract",
            &mut problems,
        );
        let draft = Fields::of(&document.value, "", &mut problems)
            .map(|fields| Self::read(&fields, &mut problems));
        if let Some(draft) = &draft {
            draft.check(&mut problems);
        }
        match draft {
            Some(draft) if problems.is_empty() => Ok(draft),
            _ => Err(ContractError {
                problems: document.place(problems),
            }),
        }
    }

    /// Reads what can be read; what cannot is a problem, and the draft then only serves to find more.
    fn read(fields: &Fields<'_>, problems: &mut Problems) -> Self {
        Self {
            schema: fields
                .required("schema", "add `schema = 1`", problems)
                .unwrap_or(CONTRACT_SCHEMA),
            task: fields
                .required("task", "say what is to be done", problems)
                .unwrap_or_default(),
            agent: fields.optional("agent", problems),
            base_ref: fields.optional("base_ref", problems),
            allowed_paths: fields.optional("allowed_paths", problems),
            forbidden_paths: fields.optional("forbidden_paths", problems),
            acceptance: read_acceptance(fields, problems),
            allow_empty: fields.optional("allow_empty", problems),
            keep_workspace: fields.optional("keep_workspace", problems),
            containment: read_containment(fields, problems),
            limits: fields
                .object("limits", problems)
                .map(|limits| LimitsDraft::read(&limits, problems)),
            retry: fields.object("retry", problems).map(|retry| RetryDraft {
                max_attempts: retry.optional("max_attempts", problems),
            }),
            review: fields.object("review", problems).map(|review| ReviewDraft {
                approve_before_start: review.optional("approve_before_start", problems),
                approval_timeout: review.optional("approval_timeout", problems),
            }),
        }
    }

    /// Checks all of a draft that may have been made in code.
    pub(super) fn check_all(&self, problems: &mut Problems) {
        self.check(problems);
        acceptance::check_all(self.acceptance.as_deref().unwrap_or_default(), problems);
    }

    /// Checks what types alone do not say. The gates are not among it: reading has checked them, by their places in the text.
    fn check(&self, problems: &mut Problems) {
        let mut refuse = |path: &str, message: String| {
            problems.push(Problem::new(ProblemCode::InvalidValue, path, message));
        };
        if self.schema != CONTRACT_SCHEMA {
            refuse(
                "schema",
                format!("`schema` is {}; this version reads 1", self.schema),
            );
        }
        if self.task.trim().is_empty() {
            refuse("task", "`task` is blank".to_owned());
        }
        if self.task.len() > MAX_TASK_BYTES {
            let length = self.task.len();
            refuse(
                "task",
                format!("`task` is {length} bytes long, more than {MAX_TASK_BYTES}"),
            );
        }
        if self.task.contains('\0') {
            refuse("task", "`task` contains a NUL character".to_owned());
        }
        if self.allowed_paths.as_ref().is_some_and(Vec::is_empty) {
            problems.push(
                Problem::new(
                    ProblemCode::InvalidValue,
                    "allowed_paths",
                    "`allowed_paths` is empty, which would allow nothing",
                )
                .hint("leave it out to allow every path"),
            );
        }
        check_rules("allowed_paths", self.allowed_paths.as_deref(), problems);
        check_rules("forbidden_paths", self.forbidden_paths.as_deref(), problems);
        if let Some(agent) = &self.agent {
            validate::name(agent, "agent", problems);
        }
        if let Some(base_ref) = &self.base_ref {
            validate::base_ref(base_ref, "base_ref", problems);
        }
        if let Some(attempts) = self.retry.as_ref().and_then(|retry| retry.max_attempts) {
            check_attempts(attempts, problems);
        }
    }
}

fn check_attempts(attempts: u32, problems: &mut Problems) {
    let path = "retry.max_attempts";
    if attempts == 0 {
        let message = format!("`{path}` is 0, so the job would never run");
        problems.push(
            Problem::new(ProblemCode::LimitZero, path, message)
                .hint("1 runs it once and does not retry"),
        );
    } else if attempts > MAX_ATTEMPTS {
        let message = format!("`{path}` is {attempts}, more than {MAX_ATTEMPTS}");
        problems.push(Problem::new(ProblemCode::InvalidValue, path, message));
    }
}

fn check_rules(field: &str, rules: Option<&[String]>, problems: &mut Problems) {
    for (position, rule) in rules.unwrap_or_default().iter().enumerate() {
        if let Err(error) = paths::check_rule(rule) {
            let path = index(field, position);
            let message = format!("`{path}` {error}");
            problems.push(Problem::new(ProblemCode::InvalidValue, path, message));
        }
    }
}

fn read_containment(fields: &Fields<'_>, problems: &mut Problems) -> Option<Containment> {
    let level: String = fields.optional("containment", problems)?;
    let path = fields.path_of("containment");
    match level.as_str() {
        "none" => Some(Containment::None),
        "reduced" => Some(Containment::Reduced),
        "full" => Some(Containment::Full),
        _ => {
            let message = format!("`{path}` is {level:?}, which is no level of containment");
            problems.push(
                Problem::new(ProblemCode::InvalidValue, path, message)
                    .hint("write \"full\", \"reduced\" or \"none\""),
            );
            None
        }
    }
}
