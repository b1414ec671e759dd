//! Asking for work.

use dogwatch_api::{Caller, Problem, Scope, Submit, Submitted};
use dogwatch_core::contract::{Contract, StoredContract, StoredContractError};
use dogwatch_core::failure::clip;
use dogwatch_core::ids::{DecisionId, JobId};
use dogwatch_core::job::{self, JobCommand, SubmitJob};
use dogwatch_core::{Sha256Digest, canonical};
use dogwatch_policy::{Action, PolicyRequest};
use dogwatch_store::{Decision, Idempotency, Side, Update};
use serde_json::json;

use crate::Engine;
use crate::problems;

/// How a submitted job relates to one before it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Repeats {
    pub(crate) job: Option<JobId>,
    pub(crate) first_attempt: Option<u32>,
}

impl Engine {
    /// Records a job and the policy's decision about it. A denied job exists, with the state `denied`.
    pub async fn submit(&self, caller: &Caller, request: Submit) -> Result<Submitted, Problem> {
        Self::allow(caller, Scope::Submit)?;
        self.submit_repeating(caller, request, Repeats::default())
            .await
    }

    pub(crate) async fn submit_repeating(
        &self,
        caller: &Caller,
        request: Submit,
        repeats: Repeats,
    ) -> Result<Submitted, Problem> {
        Self::allow_project(caller, request.project)?;
        let contract =
            StoredContract::parse(&request.contract, request.contract_hash).map_err(|error| {
                let code = match &error {
                    StoredContractError::Hash { .. } => "contract_hash_mismatch",
                    StoredContractError::NotCanonical
                    | StoredContractError::NotAContract(_)
                    | StoredContractError::Invalid(_) => "contract_invalid",
                };
                problems::invalid(
                    code,
                    error.to_string(),
                    "send the canonical bytes of a contract and their SHA-256",
                )
            })?;
        let id = JobId::mint(&*self.clock, &*self.entropy);
        let facts = facts(id, &request, &contract, repeats);
        let decision = Self::decide_policy(
            &*self.policy,
            DecisionId::mint(&*self.clock, &*self.entropy),
            &PolicyRequest {
                action: Action::Submit,
                principal: caller.principal.clone(),
                project: request.project.to_string(),
                topic: facts.topic.clone(),
                agent: facts.agent.clone(),
                contract: request.contract_hash,
                machine: None,
            },
        );
        let command = JobCommand::Submit(SubmitJob { decision, facts });
        let idempotency = match &request.idempotency_key {
            Some(key) => Some(Idempotency {
                project: request.project,
                key: key.clone(),
                request: request_digest(&request, repeats)?,
            }),
            None => None,
        };
        let update = Update {
            idempotency,
            ..Self::update(
                caller,
                request.project,
                request.trace,
                Side::Contract {
                    hash: request.contract_hash,
                    bytes: request.contract,
                },
                Box::new(move |stream, now| {
                    job::decide(stream, &command, now).map(|events| Decision {
                        events,
                        reply: json!({ "job_id": id }),
                    })
                }),
            )
        };
        let updated = self
            .store
            .update(id, update)
            .await
            .map_err(problems::from_store)?;
        let job_id = serde_json::from_value(updated.reply["job_id"].clone()).map_err(|error| {
            Problem::new(
                dogwatch_api::ProblemCode::Internal,
                "store_corrupt",
                format!("the stored answer of this request is unreadable: {error}"),
                "submit again with a new idempotency key",
            )
        })?;
        Ok(Submitted {
            job_id,
            replayed: updated.replayed,
        })
    }
}

fn facts(id: JobId, request: &Submit, contract: &Contract, repeats: Repeats) -> job::Submitted {
    let title = contract
        .task
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    job::Submitted {
        job: id,
        project: request.project,
        session: request.session,
        topic: request.topic.clone(),
        title: clip(title, 120),
        agent: contract.agent.clone(),
        base: contract.base_commit.clone(),
        contract: request.contract_hash,
        priority: request.priority,
        not_before: request.not_before,
        deadline: request.deadline,
        max_attempts: contract.retry.max_attempts,
        retry_of: repeats.job,
        first_attempt: repeats.first_attempt.unwrap_or(1),
    }
}

/// What makes two requests the same: everything but the key and the trace.
fn request_digest(request: &Submit, repeats: Repeats) -> Result<Sha256Digest, Problem> {
    let value = json!({
        "project": request.project,
        "session": request.session,
        "topic": request.topic,
        "contract": request.contract_hash,
        "priority": request.priority,
        "not_before": request.not_before,
        "deadline": request.deadline,
        "retry_of": repeats.job,
    });
    canonical::value_to_bytes(&value)
        .map(|bytes| Sha256Digest::of(&bytes))
        .map_err(|error| problems::invalid("request_invalid", error.to_string(), "mend it"))
}
