//! Putting the layers together.

use std::collections::BTreeMap;

use dogwatch_core::canonical::Sha256Digest;
use dogwatch_core::contract::{AcceptanceDraft, Containment, ContractContext};
use dogwatch_core::limits::{LIMITS, LimitLayer, LimitsDraft, ModelClass, ResolvedLimits, resolve};
use dogwatch_core::schemars::JsonSchema;
use dogwatch_core::strict::{Document, Problem, ProblemCode, Problems, join, nearest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::environment::{self, EnvironmentWarning, variable_of};
use crate::error::{ConfigError, ConfigProblem};
use crate::file::{AgentConfig, ConfigFile, RunFile};
use crate::origin::{Layer, Origin, Setting};
use crate::profile::ProfileSource;

/// The text of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What to call it in messages: its path.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// What flags of a command set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagValues {
    /// The default agent.
    pub agent: Option<String>,
    /// The class of models.
    pub model_class: Option<ModelClass>,
    /// Limits.
    pub limits: LimitsDraft,
    /// Whether workspaces are left in place.
    pub keep_workspace: Option<bool>,
    /// How far runs are kept apart from the machine.
    pub containment: Option<Containment>,
}

/// Everything configuration is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// The user's `config.toml`, if there is one.
    pub user: Option<Source>,
    /// The project's `dogwatch.toml`, if there is one.
    pub project: Option<Source>,
    /// The environment; what does not start with `DOGWATCH_` is passed over.
    pub env: Vec<(String, String)>,
    /// The flags.
    pub flags: FlagValues,
}

/// How runs are done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct RunConfig {
    /// Whether the workspace of a run is left in place when it is done.
    pub keep_workspace: bool,
    /// The containment a run needs, where its contract says nothing of it.
    pub containment: Containment,
}

/// The configuration that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The agent for tasks that name none.
    pub agent: Option<String>,
    /// The class of models, which chooses the defaults of limits.
    pub model_class: ModelClass,
    /// The agents by name.
    pub agents: BTreeMap<String, AgentConfig>,
    /// The project's gates.
    pub acceptance: Vec<AcceptanceDraft>,
    /// What each layer says about limits.
    pub limit_layers: Vec<LimitLayer>,
    /// The limits of a contract that sets none.
    pub limits: ResolvedLimits,
    /// How runs are done.
    pub run: RunConfig,
    /// The files that were read.
    pub sources: Vec<ProfileSource>,
    /// What is odd and no error, to be shown.
    pub warnings: Vec<String>,
    origins: BTreeMap<String, Origin>,
}

/// A name that no agent has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("agent {name:?} is not configured{}", suggestion(.nearest.as_deref(), .known))]
pub struct UnknownAgent {
    /// The name.
    pub name: String,
    /// What it was probably meant to be.
    pub nearest: Option<String>,
    /// The agents there are.
    pub known: Vec<String>,
}

fn suggestion(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean {nearest:?}?"),
        None if known.is_empty() => {
            "; add [agents.NAME] to dogwatch.toml or the user configuration".to_owned()
        }
        None => format!("; there is {}", known.join(", ")),
    }
}

impl Layers {
    /// Reads and joins the layers. With anything wrong in any of them there is no configuration at all.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut loading = Loading::default();
        loading.file(Layer::User, self.user.as_ref());
        loading.file(Layer::Project, self.project.as_ref());

        let mut problems = Problems::default();
        let (file, unknown) = environment::read(&self.env, &mut problems);
        loading.refuse("environment", problems.into_vec());
        loading
            .warnings
            .extend(unknown.iter().map(EnvironmentWarning::to_string));
        loading.apply(Layer::Environment, file, |key| Origin {
            source: Some(variable_of(key)),
            ..Origin::of(Layer::Environment)
        });

        loading.apply(Layer::Flag, self.flags.to_file(), |_| {
            Origin::of(Layer::Flag)
        });
        loading.finish()
    }
}

impl FlagValues {
    fn to_file(&self) -> ConfigFile {
        ConfigFile {
            agent: self.agent.clone(),
            model_class: self.model_class,
            limits: Some(self.limits.clone()),
            run: Some(RunFile {
                keep_workspace: self.keep_workspace,
                containment: self.containment,
            }),
            ..ConfigFile::default()
        }
    }
}

#[derive(Default)]
struct Loading {
    merged: ConfigFile,
    limit_layers: Vec<LimitLayer>,
    origins: BTreeMap<String, Origin>,
    sources: Vec<ProfileSource>,
    warnings: Vec<String>,
    problems: Vec<ConfigProblem>,
}

impl Loading {
    fn refuse(&mut self, source: &str, problems: Vec<Problem>) {
        let problems = problems.into_iter().map(|problem| ConfigProblem {
            source: source.to_owned(),
            problem,
        });
        self.problems.extend(problems);
    }

    fn file(&mut self, layer: Layer, source: Option<&Source>) {
        let Some(source) = source else {
            return;
        };
        let document = match Document::from_toml(&source.text) {
            Ok(document) => document,
            Err(problem) => return self.refuse(&source.path, vec![problem]),
        };
        match ConfigFile::read(&document, layer) {
            Ok(file) => {
                self.sources.push(ProfileSource {
                    layer,
                    path: source.path.clone(),
                    sha256: Sha256Digest::of(source.text.as_bytes()),
                });
                self.apply(layer, file, |key| Origin {
                    layer,
                    source: Some(source.path.clone()),
                    line: document
                        .position(key)
                        .and_then(|position| u64::try_from(position.line).ok()),
                });
            }
            Err(problems) => self.refuse(&source.path, problems),
        }
    }

    /// Lays a file over what is there. `origin` says where in that layer a key stands.
    fn apply(&mut self, layer: Layer, file: ConfigFile, origin: impl Fn(&str) -> Origin) {
        let origins = &mut self.origins;
        let mut set = |key: &str| {
            origins.insert(key.to_owned(), origin(key));
        };
        if let Some(agent) = file.agent {
            set("agent");
            self.merged.agent = Some(agent);
        }
        if let Some(class) = file.model_class {
            set("model_class");
            self.merged.model_class = Some(class);
        }
        if let Some(gates) = file.acceptance {
            set("acceptance");
            self.merged.acceptance = Some(gates);
        }
        let mut loosened = None;
        if let Some(run) = file.run {
            let merged = self.merged.run.get_or_insert_default();
            if let Some(keep) = run.keep_workspace {
                set("run.keep_workspace");
                merged.keep_workspace = Some(keep);
            }
            if let Some(level) = run.containment {
                // Whoever can write the repository is not to loosen what holds its agents.
                if layer == Layer::Project && level < merged.containment.unwrap_or_default() {
                    let message = format!(
                        "`run.containment` is {:?}, less than what applies without it",
                        level.as_str()
                    );
                    loosened = Some(
                        Problem::new(ProblemCode::InvalidValue, "run.containment", message).hint(
                            "a project may only ask for more; take it out, and say --containment where a run needs less",
                        ),
                    );
                } else {
                    set("run.containment");
                    merged.containment = Some(level);
                }
            }
        }
        if let Some(limits) = file.limits {
            for limit in LIMITS {
                if limits.get(limit.name).is_some() {
                    set(&join("limits", limit.name));
                }
            }
            self.limit_layers.push(LimitLayer {
                origin: layer.limit_origin(),
                limits,
            });
        }
        for (name, agent) in file.agents {
            // An agent is taken whole: joined field by field, a repository's command would come by the variables a user chose to
            // pass to another one.
            let path = join("agents", &name);
            for field in ["driver", "command", "env"] {
                set(&join(&path, field));
            }
            let before = self.merged.agents.insert(name.clone(), agent);
            if before.is_some_and(|before| !before.env.is_empty()) {
                self.warnings.push(format!(
                    "the project defines agent {name} anew, so the variables the user configuration passes to it are not passed"
                ));
            }
        }
        if let Some(problem) = loosened {
            self.refuse("dogwatch.toml", vec![problem]);
        }
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        let model_class = self.merged.model_class.unwrap_or_default();
        let limits = match resolve(model_class, &self.limit_layers) {
            Ok(limits) => Some(limits),
            Err(zeros) => {
                // Files and variables are refused when they are read; what is left are the flags.
                let problems = zeros.0.into_iter().map(|zero| {
                    let path = join("limits", zero.name);
                    let message = format!("`{path}` is 0 ({})", zero.origin);
                    Problem::new(ProblemCode::LimitZero, path, message)
                        .hint("give a number of at least 1, or leave it out for the default")
                });
                self.refuse("flags", problems.collect());
                None
            }
        };
        let (Some(limits), true) = (limits, self.problems.is_empty()) else {
            return Err(ConfigError {
                problems: self.problems,
            });
        };
        self.warnings
            .extend(limits.notes.iter().map(ToString::to_string));
        Ok(Config {
            agent: self.merged.agent,
            model_class,
            agents: self.merged.agents,
            acceptance: self.merged.acceptance.unwrap_or_default(),
            limit_layers: self.limit_layers,
            limits,
            run: {
                let run = self.merged.run.unwrap_or_default();
                RunConfig {
                    keep_workspace: run.keep_workspace.unwrap_or(false),
                    containment: run.containment.unwrap_or_default(),
                }
            },
            sources: self.sources,
            warnings: self.warnings,
            origins: self.origins,
        })
    }
}

impl Config {
    /// The agent of a name.
    pub fn agent(&self, name: &str) -> Result<&AgentConfig, UnknownAgent> {
        self.agents.get(name).ok_or_else(|| UnknownAgent {
            name: name.to_owned(),
            nearest: nearest(name, self.agents.keys().map(String::as_str)).map(str::to_owned),
            known: self.agents.keys().cloned().collect(),
        })
    }

    /// Where the value of a key comes from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins
            .get(key)
            .cloned()
            .unwrap_or_else(|| Origin::of(Layer::Default))
    }

    /// What a contract is expanded with.
    pub fn contract_context(&self, base_commit: impl Into<String>) -> ContractContext {
        ContractContext {
            base_commit: base_commit.into(),
            default_agent: self.agent.clone(),
            project_acceptance: self.acceptance.clone(),
            model_class: self.model_class,
            keep_workspace: self.run.keep_workspace,
            containment: self.run.containment,
            limit_layers: self.limit_layers.clone(),
        }
    }

    /// Every value that applies, with its origin, sorted by key.
    pub fn settings(&self) -> Vec<Setting> {
        let mut values = BTreeMap::new();
        let json = |value: &dyn Fn() -> serde_json::Result<Value>| value().unwrap_or(Value::Null);
        values.insert("agent".to_owned(), Value::from(self.agent.clone()));
        values.insert(
            "model_class".to_owned(),
            Value::from(self.model_class.as_str()),
        );
        values.insert(
            "run.keep_workspace".to_owned(),
            Value::from(self.run.keep_workspace),
        );
        values.insert(
            "run.containment".to_owned(),
            Value::from(self.run.containment.as_str()),
        );
        values.insert(
            "acceptance".to_owned(),
            json(&|| serde_json::to_value(&self.acceptance)),
        );
        for limit in LIMITS {
            if let Some(value) = self.limits.limits.get(limit.name) {
                values.insert(join("limits", limit.name), Value::from(value));
            }
        }
        for (name, agent) in &self.agents {
            let path = join("agents", name);
            values.insert(join(&path, "driver"), Value::from(agent.driver.to_string()));
            values.insert(join(&path, "command"), Value::from(agent.command.clone()));
            values.insert(join(&path, "env"), Value::from(agent.env.clone()));
        }
        let setting = |(key, value): (String, Value)| Setting {
            origin: self.origin(&key),
            key,
            value,
        };
        values.into_iter().map(setting).collect()
    }
}
