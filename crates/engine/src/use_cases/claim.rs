//! Taking jobs that are ready.

use std::sync::Arc;

use dogwatch_api::{Caller, Claim, Claimed, ClaimedJob, Problem, Scope};
use dogwatch_core::ids::{DecisionId, JobId, LeaseId, ProjectId};
use dogwatch_core::job::{self, ClaimJob, Job, JobCommand, JobStatus, Lease, Refusal};
use dogwatch_policy::{Action, PolicyRequest};
use dogwatch_store::{Decide, Decision, JobFilter, Side, StoreError};
use uuid::Uuid;

use crate::Engine;
use crate::problems;

impl Engine {
    /// Grants leases, each after a recorded decision. The same claim id asked again returns the same leases.
    pub async fn claim(&self, caller: &Caller, request: Claim) -> Result<Claimed, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let granted_before = self.granted_to(&request).await?;
        if !granted_before.jobs.is_empty() {
            return Ok(granted_before);
        }
        let mut claimed = Claimed::default();
        let max = if request.job.is_some() {
            1
        } else {
            request.max
        };
        while u32::try_from(claimed.jobs.len()).unwrap_or(u32::MAX) < max {
            let job = match request.job {
                Some(id) => self.claim_one(caller, &request, id).await?,
                None => match self.claim_next(caller, &request).await? {
                    Some(job) => job,
                    None => break,
                },
            };
            let Some(lease) = job.active_lease().cloned() else {
                // Policy denied the dispatch: the job is over, the next one may be fine.
                if request.job.is_some() {
                    break;
                }
                continue;
            };
            claimed.jobs.push(self.with_contract(job, lease).await?);
        }
        Ok(claimed)
    }

    async fn granted_to(&self, request: &Claim) -> Result<Claimed, Problem> {
        let leases = self
            .store
            .active_leases()
            .await
            .map_err(problems::from_store)?;
        let mut claimed = Claimed::default();
        for (id, lease) in leases {
            if lease.claim == request.claim_id && lease.machine == request.machine {
                let job = self.load(id).await?;
                claimed.jobs.push(self.with_contract(job, lease).await?);
            }
        }
        Ok(claimed)
    }

    async fn claim_one(&self, caller: &Caller, request: &Claim, id: JobId) -> Result<Job, Problem> {
        let project = self.load(id).await?.project;
        let update = Self::update(
            caller,
            project,
            None,
            Side::Nothing,
            self.grant(caller, request),
        );
        let updated = self
            .store
            .update(id, update)
            .await
            .map_err(problems::from_store)?;
        updated
            .stream
            .job
            .ok_or_else(|| problems::not_found("job_not_found", "such job"))
    }

    async fn claim_next(&self, caller: &Caller, request: &Claim) -> Result<Option<Job>, Problem> {
        let filter = JobFilter {
            project: None,
            statuses: vec![JobStatus::Queued],
        };
        // The store fills in the project of the job it picks; this one is never written.
        let placeholder = ProjectId::from_uuid(Uuid::nil());
        let update = Self::update(
            caller,
            placeholder,
            None,
            Side::Nothing,
            self.grant(caller, request),
        );
        match self.store.update_next_ready(filter, update).await {
            Ok(updated) => Ok(updated.and_then(|updated| updated.stream.job)),
            Err(StoreError::Refused(Refusal::NotYet(_) | Refusal::WrongState { .. })) => Ok(None),
            Err(error) => Err(problems::from_store(error)),
        }
    }

    /// The decision of a claim: policy is asked about the very job that the store picked.
    fn grant(&self, caller: &Caller, request: &Claim) -> Decide {
        let policy = Arc::clone(&self.policy);
        let decision_id = DecisionId::mint(&*self.clock, &*self.entropy);
        let lease = LeaseId::mint(&*self.clock, &*self.entropy);
        let principal = caller.principal.clone();
        let request = request.clone();
        let ttl_ms = u64::try_from(self.lease_ttl.as_millis()).unwrap_or(u64::MAX);
        Box::new(move |stream, now| {
            let job = stream.job.as_ref().ok_or(Refusal::NoSuchJob)?;
            let decision = Self::decide_policy(
                &*policy,
                decision_id,
                &PolicyRequest {
                    action: Action::Dispatch,
                    principal: principal.clone(),
                    project: job.project.to_string(),
                    topic: job.topic.clone(),
                    agent: job.agent.clone(),
                    contract: job.contract,
                    machine: Some(request.machine.to_string()),
                },
            );
            let command = JobCommand::Claim(ClaimJob {
                decision,
                claim: request.claim_id,
                lease,
                machine: request.machine,
                holder: request.holder.clone(),
                ttl_ms,
            });
            job::decide(stream, &command, now).map(Decision::events)
        })
    }

    async fn with_contract(&self, job: Job, lease: Lease) -> Result<ClaimedJob, Problem> {
        let contract = self.load_contract(job.contract).await?;
        Ok(ClaimedJob {
            job,
            lease,
            contract,
        })
    }
}
