//! `DOGWATCH_*` variables as a layer of configuration.

use std::fmt;

use dogwatch_core::contract::Containment;
use dogwatch_core::limits::{LIMITS, ModelClass};
use dogwatch_core::strict::{Problem, ProblemCode, Problems, nearest};
use serde::Serialize;
use serde_json::Value;

use crate::file::{ConfigFile, check_name};

/// What the variables start with.
pub const ENVIRONMENT_PREFIX: &str = "DOGWATCH_";

/// Variables that are not configuration: places, what dogwatch tells the commands it starts, and switches for its own tests.
pub const RESERVED_VARIABLES: &[&str] = &[
    "DOGWATCH_ACTIVE_RUN",
    "DOGWATCH_ATTEMPT",
    "DOGWATCH_BASE_COMMIT",
    "DOGWATCH_CONTEXT_FILE",
    "DOGWATCH_DISK_RESERVE",
    "DOGWATCH_DISK_RETRY_MS",
    "DOGWATCH_ENDPOINT",
    "DOGWATCH_FAILPOINT",
    "DOGWATCH_FAILPOINT_MARKER",
    "DOGWATCH_FAILPOINTS",
    "DOGWATCH_HOME",
    "DOGWATCH_IDLE_MS",
    "DOGWATCH_JOB_ID",
    "DOGWATCH_LOG",
    "DOGWATCH_PROJECT_ID",
    "DOGWATCH_PROMPT_FILE",
    "DOGWATCH_REQUEST_FILE",
    "DOGWATCH_RESPONSE_FILE",
    "DOGWATCH_RUN_ID",
    "DOGWATCH_SESSION_ID",
    "DOGWATCH_TOKEN",
    "DOGWATCH_TURN",
    "DOGWATCH_WORKSPACE",
    "DOGWATCH_WRITE_SCHEMAS",
];

const AGENT: &str = "DOGWATCH_AGENT";
const MODEL_CLASS: &str = "DOGWATCH_MODEL_CLASS";
const KEEP_WORKSPACE: &str = "DOGWATCH_RUN_KEEP_WORKSPACE";
const CONTAINMENT: &str = "DOGWATCH_RUN_CONTAINMENT";
const LIMITS_PREFIX: &str = "DOGWATCH_LIMITS_";

/// A variable that looks like dogwatch's and means nothing. Only a warning, because another version may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EnvironmentWarning {
    /// The variable.
    pub variable: String,
    /// What it was probably meant to be.
    pub nearest: Option<String>,
}

impl fmt::Display for EnvironmentWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = self.variable.escape_debug();
        write!(f, "{variable} is set and means nothing to dogwatch")?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

/// The variable that sets a limit.
pub(crate) fn limit_variable(name: &str) -> String {
    format!("{LIMITS_PREFIX}{}", name.to_uppercase())
}

/// The variable that sets a key, if there is one.
pub(crate) fn variable_of(key: &str) -> String {
    match key.strip_prefix("limits.") {
        Some(limit) => limit_variable(limit),
        None => format!(
            "{ENVIRONMENT_PREFIX}{}",
            key.replace('.', "_").to_uppercase()
        ),
    }
}

/// Reads the variables; an empty one counts as unset.
pub(crate) fn read(
    variables: &[(String, String)],
    problems: &mut Problems,
) -> (ConfigFile, Vec<EnvironmentWarning>) {
    let mut file = ConfigFile::default();
    let mut warnings = Vec::new();
    for (variable, value) in variables {
        let ours = variable.starts_with(ENVIRONMENT_PREFIX)
            && !RESERVED_VARIABLES.contains(&variable.as_str());
        let unset = value.is_empty() && is_known(variable);
        if !ours || unset || set(&mut file, variable, value, problems) {
            continue;
        }
        warnings.push(EnvironmentWarning {
            variable: variable.clone(),
            nearest: nearest_variable(variable),
        });
    }
    (file, warnings)
}

/// Sets what a variable stands for; false if it stands for nothing.
fn set(file: &mut ConfigFile, variable: &str, value: &str, problems: &mut Problems) -> bool {
    match variable {
        AGENT => {
            check_name(value, variable, problems);
            file.agent = Some(value.to_owned());
        }
        MODEL_CLASS => {
            let class = serde_json::from_value::<ModelClass>(Value::from(value));
            file.model_class = class.as_ref().ok().copied();
            if class.is_err() {
                let message = format!("`{variable}` is {value:?}, which is no class of models");
                let problem = Problem::new(ProblemCode::InvalidValue, variable, message);
                problems.push(problem.hint("write frontier, mid or small_local"));
            }
        }
        KEEP_WORKSPACE => {
            let keep = match value {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            };
            if keep.is_none() {
                let message = format!("`{variable}` is {value:?}, neither true nor false");
                problems.push(Problem::new(ProblemCode::InvalidValue, variable, message));
            }
            file.run.get_or_insert_default().keep_workspace = keep;
        }
        CONTAINMENT => {
            let level = serde_json::from_value::<Containment>(Value::from(value)).ok();
            if level.is_none() {
                let message =
                    format!("`{variable}` is {value:?}, which is no level of containment");
                let problem = Problem::new(ProblemCode::InvalidValue, variable, message);
                problems.push(problem.hint("write full, reduced or none"));
            }
            file.run.get_or_insert_default().containment = level;
        }
        _ => {
            let Some(limit) = variable.strip_prefix(LIMITS_PREFIX) else {
                return false;
            };
            let name = limit.to_lowercase();
            if limit_variable(&name) != variable {
                return false;
            }
            let limits = file.limits.get_or_insert_default();
            match limits.set_text(&name, value, variable) {
                Some(Ok(())) => {}
                Some(Err(problem)) => problems.push(problem),
                None => return false,
            }
        }
    }
    true
}

/// Compared without what they all start with, which would make strangers look alike.
fn nearest_variable(variable: &str) -> Option<String> {
    if let Some(limit) = variable.strip_prefix(LIMITS_PREFIX) {
        let settable = LIMITS.iter().filter(|limit| limit.settable);
        return nearest(limit, settable.map(|limit| limit.name)).map(limit_variable);
    }
    let word = variable.strip_prefix(ENVIRONMENT_PREFIX)?;
    let known = known_variables();
    let words = known
        .iter()
        .filter_map(|known| known.strip_prefix(ENVIRONMENT_PREFIX));
    nearest(word, words).map(|word| format!("{ENVIRONMENT_PREFIX}{word}"))
}

fn is_known(variable: &str) -> bool {
    known_variables().iter().any(|known| known == variable)
}

fn known_variables() -> Vec<String> {
    let settable = LIMITS.iter().filter(|limit| limit.settable);
    settable
        .map(|limit| limit_variable(limit.name))
        .chain([AGENT, MODEL_CLASS, KEEP_WORKSPACE].map(str::to_owned))
        .collect()
}
