//! From what a person wrote to what is stored: every default in.

use super::acceptance::{AcceptanceDraft, check_all};
use super::draft::{Containment, ContractDraft, ContractError};
use super::stored::{Contract, DEFAULT_APPROVAL_MS, Retry, Review};
use super::timeout::Timeout;
use super::validate::{self, is_object_id};
use crate::limits::{self, LimitLayer, LimitOrigin, ModelClass, ResolvedLimits};
use crate::strict::{Problem, ProblemCode, Problems};

/// What a draft is expanded with: what configuration and the repository say.
#[derive(Clone, Debug, Default)]
pub struct ContractContext {
    /// The commit the base ref names now.
    pub base_commit: String,
    /// The agent for contracts that name none.
    pub default_agent: Option<String>,
    /// The gates of the project.
    pub project_acceptance: Vec<AcceptanceDraft>,
    /// The class that chooses the defaults of limits.
    pub model_class: ModelClass,
    /// Whether workspaces are left in place where a contract says nothing of it.
    pub keep_workspace: bool,
    /// The containment where a contract says nothing of it.
    pub containment: Containment,
    /// The limits of every layer but the contract's own.
    pub limit_layers: Vec<LimitLayer>,
}

/// A contract and how its limits came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The contract.
    pub contract: Contract,
    /// Its limits with their origins and notes.
    pub limits: ResolvedLimits,
}

impl ContractDraft {
    /// Puts every default in.
    ///
    /// The project's gates come first and the contract's own are added; where both define a gate, the contract's definition stands in
    /// the project's place. A contract cannot drop a gate of the project.
    pub fn expand(&self, context: &ContractContext) -> Result<Expanded, ContractError> {
        let mut problems = Problems::default();
        self.check_all(&mut problems);
        check_all(&context.project_acceptance, &mut problems);
        if !is_object_id(&context.base_commit) {
            let message = format!(
                "the base resolved to {:?}, which is not an object id",
                context.base_commit
            );
            problems.push(Problem::new(ProblemCode::InvalidValue, "base_ref", message));
        }
        let agent = self.agent.as_ref().or(context.default_agent.as_ref());
        match agent {
            Some(agent) => validate::name(agent, "agent", &mut problems),
            None => problems.push(
                Problem::new(
                    ProblemCode::MissingField,
                    "agent",
                    "no agent is named and there is no default one",
                )
                .hint("give --agent, or set `agent` in the contract, dogwatch.toml or the user configuration"),
            ),
        }
        let limits = self.limits(context, &mut problems);
        let (Some(agent), Some(limits), true) = (agent, limits, problems.is_empty()) else {
            return Err(ContractError {
                problems: problems.into_vec(),
            });
        };
        let default_timeout = limits.limits.gate_timeout_ms;
        let contract = Contract {
            schema: self.schema,
            task: self.task.clone(),
            agent: agent.clone(),
            base_ref: self.base_ref.clone().unwrap_or_else(|| "HEAD".to_owned()),
            base_commit: context.base_commit.clone(),
            allowed_paths: self
                .allowed_paths
                .clone()
                .unwrap_or_else(|| vec!["**".to_owned()]),
            forbidden_paths: self.forbidden_paths.clone().unwrap_or_default(),
            acceptance: self
                .gates(&context.project_acceptance)
                .iter()
                .map(|gate| gate.expand(default_timeout))
                .collect(),
            allow_empty: self.allow_empty.unwrap_or(false),
            keep_workspace: self.keep_workspace.unwrap_or(context.keep_workspace),
            containment: self.containment.unwrap_or(context.containment),
            limits: limits.limits.clone(),
            retry: Retry {
                max_attempts: self
                    .retry
                    .as_ref()
                    .and_then(|retry| retry.max_attempts)
                    .unwrap_or(1),
            },
            review: self.review(),
        };
        Ok(Expanded { contract, limits })
    }

    fn review(&self) -> Review {
        let draft = self.review.clone().unwrap_or_default();
        Review {
            approve_before_start: draft.approve_before_start.unwrap_or(false),
            approval_ms: draft
                .approval_timeout
                .map_or(DEFAULT_APPROVAL_MS, Timeout::as_millis),
        }
    }

    fn limits(&self, context: &ContractContext, problems: &mut Problems) -> Option<ResolvedLimits> {
        let mut layers = context.limit_layers.clone();
        layers.extend(self.limits.clone().map(|limits| LimitLayer {
            origin: LimitOrigin::Contract,
            limits,
        }));
        match limits::resolve(context.model_class, &layers) {
            Ok(resolved) => Some(resolved),
            Err(zeros) => {
                for zero in zeros.0 {
                    let path = format!("limits.{}", zero.name);
                    let message = format!("`{path}` is 0 ({})", zero.origin);
                    problems.push(
                        Problem::new(ProblemCode::LimitZero, path, message)
                            .hint("give a number of at least 1, or leave it out for the default"),
                    );
                }
                None
            }
        }
    }

    fn gates(&self, project: &[AcceptanceDraft]) -> Vec<AcceptanceDraft> {
        let mut gates = project.to_vec();
        for own in self.acceptance.iter().flatten() {
            match gates.iter_mut().find(|gate| gate.name == own.name) {
                Some(gate) => gate.clone_from(own),
                None => gates.push(own.clone()),
            }
        }
        gates
    }
}
