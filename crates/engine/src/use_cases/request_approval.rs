//! A running agent asks a person.

use dogwatch_api::{ApprovalView, Caller, HeldLease, Problem, ProblemCode, RequestApproval, Scope};
use dogwatch_core::canonical;
use dogwatch_core::contract::StoredContract;
use dogwatch_core::event::Actor;
use dogwatch_core::ids::ApprovalId;
use dogwatch_core::job::{self, Job, JobCommand, MAX_ACTION_BYTES};

use super::approvals::view_in;
use crate::Engine;
use crate::access::{agent, own_lease, own_run};
use crate::problems;
use crate::texts::fit;

/// How many requests of one job may wait for a person at once.
const MAX_PENDING: usize = 20;

/// The longest reason, as it stands in an event.
const MAX_REASON: usize = 400;

impl Engine {
    /// Records a request for a person's decision. It is bound to the contract, the policy and the lease as they are now.
    pub async fn request_approval(
        &self,
        caller: &Caller,
        request: RequestApproval,
    ) -> Result<ApprovalView, Problem> {
        let held = asked_under(caller, &request)?;
        let action = action(&request.action)?;
        let job = self.load(held.job).await?;
        Self::allow_project(caller, job.project)?;
        let approval = match request.id {
            Some(id) => id,
            None => ApprovalId::mint(&*self.clock, &*self.entropy),
        };
        if job.approval(approval).is_none() && job.pending_approvals().count() >= MAX_PENDING {
            return Err(Problem::new(
                ProblemCode::TooMany,
                "too_many_requests",
                format!("{MAX_PENDING} requests of the job wait for a person already"),
                "wait for the decisions",
            ));
        }
        let longest = self.approval_ms(&job).await?;
        let command = JobCommand::RequestApproval(job::RequestApproval {
            lease: held.lease,
            epoch: held.epoch,
            run: request.run,
            approval,
            action,
            reason: fit(&request.reason, MAX_REASON),
            policy: self.policy.digest(),
            actor: Actor {
                principal: format!("agent:{}", request.run),
                ..caller.actor()
            },
            ttl_ms: request.ttl_ms.map_or(longest, |asked| asked.min(longest)),
        });
        let job = self
            .carry_out(caller, job.project, held.job, command)
            .await
            .map_err(problems::from_store)?;
        view_in(&job, approval)
    }

    /// How long an approval of the job may wait, as its contract says.
    async fn approval_ms(&self, job: &Job) -> Result<u64, Problem> {
        let bytes = self.load_contract(job.contract).await?;
        StoredContract::parse(&bytes, job.contract)
            .map(|contract| contract.review.approval_ms)
            .map_err(|error| {
                Problem::new(
                    ProblemCode::Internal,
                    "store_corrupt",
                    format!("the contract of {} cannot be read: {error}", job.id),
                    "nothing was changed; keep a copy of the data directory and run `dogwatch doctor`",
                )
            })
    }
}

/// The lease that the request is made under: an agent's own, or the one its runner names.
fn asked_under(caller: &Caller, request: &RequestApproval) -> Result<HeldLease, Problem> {
    if let Some(claim) = agent(caller) {
        own_run(claim, request.run)?;
        if let Some(held) = request.held {
            own_lease(claim, held)?;
        }
        return Ok(HeldLease {
            job: claim.job,
            lease: claim.lease,
            epoch: claim.epoch,
        });
    }
    Engine::allow(caller, Scope::Runner)?;
    request
        .held
        .ok_or_else(|| problems::field("held", "is missing: a runner names the lease of the run"))
}

/// The exact bytes that a person decides about.
fn action(action: &serde_json::Value) -> Result<String, Problem> {
    let bytes =
        canonical::value_to_bytes(action).map_err(|error| problems::field("action", error))?;
    if bytes.len() > MAX_ACTION_BYTES {
        return Err(problems::invalid(
            "approval_too_large",
            format!(
                "the action is {} bytes in canonical form, more than {MAX_ACTION_BYTES}",
                bytes.len()
            ),
            "ask for a smaller action, or put the material into the workspace and ask for what is done with it",
        ));
    }
    String::from_utf8(bytes).map_err(|error| problems::field("action", error))
}
