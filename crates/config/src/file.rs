//! One configuration file: what it may say, and everything that can be wrong with it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use dogwatch_core::contract::{
    AcceptanceDraft, Containment, is_name, key_problems, read_acceptance,
};
use dogwatch_core::limits::{LimitsDraft, ModelClass};
use dogwatch_core::schemars::{self, JsonSchema, Schema};
use dogwatch_core::strict::{
    self, Document, Fields, Problem, ProblemCode, Problems, index, join, nearest,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::origin::Layer;

/// How dogwatch talks to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "dogwatch_core::schemars")]
pub enum Driver {
    /// Any command: the request in files, the response in a file.
    Exec,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exec => f.write_str("exec"),
        }
    }
}

/// Drivers that are announced and not there yet.
const LATER_DRIVERS: [&str; 4] = ["codex", "claude", "acp", "model"];

/// An agent that can be chosen by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct AgentConfig {
    /// How dogwatch talks to it.
    pub driver: Driver,
    /// The program and its arguments.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// Names of environment variables it gets from the host, in the user's file only.
    #[serde(default)]
    #[schemars(default)]
    pub env: Vec<String>,
}

/// The `[run]` table of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub(crate) struct RunFile {
    /// Whether the workspace of a run is left in place when it is done; false if not given.
    pub(crate) keep_workspace: Option<bool>,
    /// The containment a run needs, where its contract says nothing of it; reduced if not given. A project may ask for more than the
    /// user does, not for less.
    pub(crate) containment: Option<Containment>,
}

/// A configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", title = "dogwatch configuration", transform = reserve_policy)]
pub(crate) struct ConfigFile {
    /// The agent for tasks that name none.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub(crate) agent: Option<String>,
    /// How capable the model behind the agents is; it chooses the defaults of limits.
    pub(crate) model_class: Option<ModelClass>,
    /// The agents by name.
    #[serde(default)]
    #[schemars(default)]
    pub(crate) agents: BTreeMap<String, AgentConfig>,
    /// Gates that every result has to pass, in the project's file only.
    pub(crate) acceptance: Option<Vec<AcceptanceDraft>>,
    /// Limits that differ from the defaults.
    pub(crate) limits: Option<LimitsDraft>,
    /// How runs are done.
    pub(crate) run: Option<RunFile>,
}

fn reserve_policy(schema: &mut Schema) {
    for key in ["policy", "policies", "rules"] {
        strict::reserve(schema.ensure_object(), key, &[]);
    }
}

/// The schema of configuration files.
pub fn config_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(ConfigFile).to_value());
    &SCHEMA
}

impl ConfigFile {
    /// Reads a file of a layer.
    pub(crate) fn read(document: &Document, layer: Layer) -> Result<Self, Vec<Problem>> {
        let mut problems = document.problems.clone();
        key_problems(
            config_schema(),
            &document.value,
            "the configuration",
            &mut problems,
        );
        let file = Fields::of(&document.value, "", &mut problems)
            .map(|fields| Self::read_fields(&fields, layer, &mut problems));
        match file {
            Some(file) if problems.is_empty() => Ok(file),
            _ => Err(document.place(problems)),
        }
    }

    fn read_fields(fields: &Fields<'_>, layer: Layer, problems: &mut Problems) -> Self {
        if layer != Layer::Project && fields.raw("acceptance").is_some() {
            problems.push(
                Problem::new(
                    ProblemCode::ProjectOnly,
                    "acceptance",
                    "`acceptance` belongs to a project: what is accepted does not depend on who asks",
                )
                .hint("move it to the project's dogwatch.toml"),
            );
        }
        Self {
            agent: fields
                .optional("agent", problems)
                .inspect(|agent: &String| check_name(agent, "agent", problems)),
            model_class: fields.optional("model_class", problems),
            agents: read_agents(fields, layer, problems),
            acceptance: read_acceptance(fields, problems),
            limits: fields
                .object("limits", problems)
                .map(|limits| LimitsDraft::read(&limits, problems)),
            run: fields.object("run", problems).map(|run| RunFile {
                keep_workspace: run.optional("keep_workspace", problems),
                containment: run.optional("containment", problems),
            }),
        }
    }
}

pub(crate) fn check_name(name: &str, path: &str, problems: &mut Problems) {
    if !is_name(name) {
        let message = format!("`{path}` is {name:?}, which is not a name");
        problems.push(
            Problem::new(ProblemCode::InvalidValue, path, message)
                .hint("use 1 to 64 letters, digits, dots, dashes and underscores"),
        );
    }
}

fn read_agents(
    fields: &Fields<'_>,
    layer: Layer,
    problems: &mut Problems,
) -> BTreeMap<String, AgentConfig> {
    let mut agents = BTreeMap::new();
    let Some(table) = fields.object("agents", problems) else {
        return agents;
    };
    for (name, value) in table.entries() {
        let path = join("agents", name);
        if !is_name(name) {
            let message = format!("`{path}` does not have a name that can be used");
            problems.push(
                Problem::new(ProblemCode::InvalidValue, path.clone(), message)
                    .hint("use 1 to 64 letters, digits, dots, dashes and underscores"),
            );
        }
        let Some(agent) = Fields::of(value, &path, problems) else {
            continue;
        };
        let driver = read_driver(&agent, problems);
        let command: Option<Vec<String>> = agent.required(
            "command",
            "give the program and its arguments as a list",
            problems,
        );
        if let Some(command) = &command {
            check_command(command, &agent.path_of("command"), problems);
        }
        let env = read_env(&agent, layer, problems);
        if let (Some(driver), Some(command)) = (driver, command) {
            let agent = AgentConfig {
                driver,
                command,
                env,
            };
            agents.insert(name.clone(), agent);
        }
    }
    agents
}

fn read_driver(agent: &Fields<'_>, problems: &mut Problems) -> Option<Driver> {
    let driver: String = agent.required("driver", "add `driver = \"exec\"`", problems)?;
    let path = agent.path_of("driver");
    if driver == "exec" {
        return Some(Driver::Exec);
    }
    let problem = if LATER_DRIVERS.contains(&driver.as_str()) {
        let message = format!("`{path}` = {driver:?} is not available yet");
        Problem::new(ProblemCode::NotEnforced, path, message)
            .hint("\"exec\" runs any command, that agent's own one-shot mode included")
    } else {
        let message = format!("`{path}` is {driver:?}, which is no driver");
        let problem = Problem::new(ProblemCode::InvalidValue, path, message);
        match nearest(&driver, LATER_DRIVERS.into_iter().chain(["exec"])) {
            Some(nearest) => problem.hint(format!("did you mean \"{nearest}\"?")),
            None => problem.hint("write \"exec\""),
        }
    };
    problems.push(problem);
    None
}

fn check_command(command: &[String], path: &str, problems: &mut Problems) {
    let fault = if command
        .first()
        .is_none_or(|program| program.trim().is_empty())
    {
        "is blank, so it would run nothing"
    } else if command.iter().any(|argument| argument.contains('\0')) {
        "contains a NUL character, which no command can"
    } else {
        return;
    };
    let message = format!("`{path}` {fault}");
    problems.push(Problem::new(ProblemCode::InvalidValue, path, message));
}

fn read_env(agent: &Fields<'_>, layer: Layer, problems: &mut Problems) -> Vec<String> {
    let path = agent.path_of("env");
    if layer == Layer::Project && agent.raw("env").is_some() {
        let message = format!(
            "`{path}` may only stand in the user's configuration: it would pass variables of the host to a command that the repository chose"
        );
        problems.push(Problem::new(ProblemCode::UserOnly, path, message));
        return Vec::new();
    }
    let names: Vec<String> = agent.optional("env", problems).unwrap_or_default();
    for (position, name) in names.iter().enumerate() {
        let path = index(&path, position);
        if !is_variable(name) {
            let message = format!("`{path}` is {name:?}, which is not the name of a variable");
            problems.push(
                Problem::new(ProblemCode::InvalidValue, path, message)
                    .hint("names only: the value is taken from the environment"),
            );
        } else if name.starts_with(crate::ENVIRONMENT_PREFIX) {
            let message = format!("`{path}` is {name:?}, which dogwatch itself sets or keeps");
            problems.push(Problem::new(ProblemCode::InvalidValue, path, message));
        }
    }
    names
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.as_bytes()[0].is_ascii_digit()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
