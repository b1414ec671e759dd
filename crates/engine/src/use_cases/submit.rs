//! Asking for work.

use dogwatch_api::{Caller, Problem, Scope, Submit, Submitted};
use dogwatch_core::contract::{Contract, StoredContract, StoredContractError};
use dogwatch_core::failure::clip;
use dogwatch_core::ids::{DecisionId, JobId};
use dogwatch_core::job::{self, GoOn, JobCommand, StartApproval, SubmitJob};
use dogwatch_core::{Sha256Digest, canonical};
use dogwatch_policy::{Action, PolicyRequest};
use dogwatch_store::{Decision, Idempotency, Side, Update};
use serde_json::json;

use super::blobs::blob_not_found;
use crate::Engine;
use crate::problems;
use crate::report;
use crate::sessions::{SessionStanding, standing};
use crate::trace::traceparent;

/// The longest topic and the longest idempotency key, in bytes.
const MAX_TOPIC: usize = 100;
const MAX_KEY: usize = 255;

/// How a submitted job relates to one before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    pub(crate) job: Option<JobId>,
    pub(crate) first_attempt: Option<u32>,
    pub(crate) goes_on: Option<GoOn>,
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
        mut request: Submit,
        repeats: Repeats,
    ) -> Result<Submitted, Problem> {
        Self::allow_project(caller, request.project)?;
        request.trace = request.trace.as_deref().and_then(traceparent);
        check(&request)?;
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
        if let Some(context) = request.context
            && !self.blobs.has(context).await.map_err(problems::from_blob)?
        {
            return Err(blob_not_found(context));
        }
        self.is_routable(&request).await?;
        let id = JobId::mint(&*self.clock, &*self.entropy);
        let idempotency = match &request.idempotency_key {
            Some(key) => Some(Idempotency {
                project: request.project,
                key: key.clone(),
                request: request_digest(&request, &repeats)?,
            }),
            None => None,
        };
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
            .commit(id, update)
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

    /// A job that demands exactly one session is refused where that session takes no work. Where it need not be that one, another takes
    /// its place, and the run's header shows which.
    async fn is_routable(&self, request: &Submit) -> Result<(), Problem> {
        let Some(session) = request.session.filter(|_| request.exact) else {
            return Ok(());
        };
        let what = match standing(&self.known.offers().await?, session) {
            SessionStanding::Active => return Ok(()),
            SessionStanding::Archived => "is archived",
            SessionStanding::Nowhere => "is on no machine that is known",
        };
        let problem = problems::conflict(
            "session_archived",
            format!("{session} {what}, and the job demands exactly this session"),
            "choose another session, or submit the job without demanding one exactly",
        );
        report::unroutable_session(&problem);
        Err(problem)
    }
}

fn check(request: &Submit) -> Result<(), Problem> {
    let topic = &request.topic;
    if topic.is_empty() || topic.len() > MAX_TOPIC || topic.chars().any(char::is_control) {
        return Err(problems::field(
            "topic",
            format_args!("has to be 1 to {MAX_TOPIC} bytes without control characters"),
        ));
    }
    if let Some(key) = &request.idempotency_key
        && !(1..=MAX_KEY).contains(&key.len())
    {
        return Err(problems::field(
            "idempotency_key",
            format_args!("has to be 1 to {MAX_KEY} bytes"),
        ));
    }
    if request.exact && request.session.is_none() {
        return Err(problems::field("exact", "demands a session and names none"));
    }
    Ok(())
}

fn facts(id: JobId, request: &Submit, contract: &Contract, repeats: Repeats) -> job::Submitted {
    let title = contract
        .task
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let review = &contract.review;
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
        exact: request.exact,
        approval: review.approve_before_start.then_some(StartApproval {
            ttl_ms: review.approval_ms,
        }),
        goes_on: repeats.goes_on,
        trace: request.trace.clone(),
        context: request.context,
    }
}

/// What makes two requests the same: everything but the key and the trace.
fn request_digest(request: &Submit, repeats: &Repeats) -> Result<Sha256Digest, Problem> {
    let value = json!({
        "project": request.project,
        "session": request.session,
        "exact": request.exact,
        "topic": request.topic,
        "contract": request.contract_hash,
        "priority": request.priority,
        "not_before": request.not_before,
        "deadline": request.deadline,
        "context": request.context,
        "retry_of": repeats.job,
        "goes_on": repeats.goes_on,
    });
    canonical::value_to_bytes(&value)
        .map(|bytes| Sha256Digest::of(&bytes))
        .map_err(|error| problems::invalid("request_invalid", error.to_string(), "mend it"))
}
