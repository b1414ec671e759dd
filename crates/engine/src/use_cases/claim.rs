//! Taking jobs that are ready.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{Caller, Claim, Claimed, ClaimedJob, Problem, Scope};
use dogwatch_core::event::Via;
use dogwatch_core::ids::{DecisionId, JobId, LeaseId, ProjectId};
use dogwatch_core::job::{self, ClaimJob, Job, JobCommand, JobState, Lease, Refusal};
use dogwatch_core::queue::Offer;
use dogwatch_policy::{Action, PolicyRequest};
use dogwatch_store::{Decide, Decision, Side, StoreError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Engine;
use crate::problems;

/// The longest wait of a claim.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The most jobs of one claim.
const MAX_JOBS: u32 = 100;

impl Engine {
    /// Grants leases, each after a recorded decision. The same claim id asked again returns the same leases.
    pub async fn claim(&self, caller: &Caller, request: Claim) -> Result<Claimed, Problem> {
        Self::allow(caller, Scope::Runner)?;
        self.known.touch(request.machine, self.clock.now());
        let granted_before = self.granted_to(caller, &request).await?;
        if !granted_before.jobs.is_empty() {
            return Ok(granted_before);
        }
        // Listened to from before the first look, so that nothing falls between the look and the wait.
        let mut hints = self.hints();
        let wait = Duration::from_millis(request.wait_ms).min(MAX_WAIT);
        let deadline = Instant::now() + wait;
        loop {
            if self.is_draining() {
                return Ok(Claimed::default());
            }
            let offer = self.offer_of(caller, &request).await?;
            let claimed = self.grant_some(caller, &request, &offer).await?;
            if !claimed.jobs.is_empty() || request.job.is_some() {
                return Ok(claimed);
            }
            if !self.wait_for_work(&mut hints, deadline).await {
                return Ok(claimed);
            }
        }
    }

    /// What the machine said that it has, cut down to what its token may see.
    async fn offer_of(&self, caller: &Caller, request: &Claim) -> Result<Offer, Problem> {
        let view = self.known.view().await?;
        let mut offer = match view.runners.get(&request.machine) {
            Some(runner) => runner.offer.clone(),
            None if caller.token.is_none() && matches!(caller.via, Via::Runner | Via::System) => {
                self.known.works_here(request.machine);
                Offer::anything(request.machine)
            }
            None => {
                return Err(problems::conflict(
                    "runner_not_synced",
                    format!("{} has not said what it has to offer", request.machine),
                    "call sync first",
                ));
            }
        };
        if let Some(visible) = &caller.projects {
            offer.projects = Some(match offer.projects {
                Some(own) => own.intersection(visible).copied().collect(),
                None => visible.clone(),
            });
        }
        Ok(offer)
    }

    async fn grant_some(
        &self,
        caller: &Caller,
        request: &Claim,
        offer: &Offer,
    ) -> Result<Claimed, Problem> {
        let mut claimed = Claimed::default();
        let max = match request.job {
            Some(_) => 1,
            None => request.max.min(MAX_JOBS),
        };
        while u32::try_from(claimed.jobs.len()).unwrap_or(u32::MAX) < max {
            let granted = match self.grant_one(caller, request, offer).await {
                Ok(granted) => granted,
                // What was granted before the fault is the caller's, and lost if it does not hear of it.
                Err(_) if !claimed.jobs.is_empty() => break,
                Err(problem) => return Err(problem),
            };
            match granted {
                Granted::Job(job) => claimed.jobs.push(*job),
                // The job is over or waits for a person: the next one may be fine.
                Granted::NoLease if request.job.is_none() => {}
                Granted::NoLease | Granted::NothingReady => break,
            }
        }
        Ok(claimed)
    }

    async fn grant_one(
        &self,
        caller: &Caller,
        request: &Claim,
        offer: &Offer,
    ) -> Result<Granted, Problem> {
        let job = match request.job {
            Some(id) => Some(self.claim_one(caller, request, offer, id).await?),
            None => self.claim_next(caller, request, offer).await?,
        };
        let Some(job) = job else {
            return Ok(Granted::NothingReady);
        };
        match job.active_lease().cloned() {
            Some(lease) => {
                let claimed = self.with_contract(job, lease).await?;
                Ok(Granted::Job(Box::new(claimed)))
            }
            None => Ok(Granted::NoLease),
        }
    }

    async fn granted_to(&self, caller: &Caller, request: &Claim) -> Result<Claimed, Problem> {
        let leases = self
            .store
            .active_leases()
            .await
            .map_err(problems::from_store)?;
        let mut claimed = Claimed::default();
        for (id, lease) in leases {
            if lease.claim == request.claim_id && lease.machine == request.machine {
                let job = self.load(id).await?;
                Self::allow_project(caller, job.project)?;
                claimed.jobs.push(self.with_contract(job, lease).await?);
            }
        }
        Ok(claimed)
    }

    async fn claim_one(
        &self,
        caller: &Caller,
        request: &Claim,
        offer: &Offer,
        id: JobId,
    ) -> Result<Job, Problem> {
        let project = self.load(id).await?.project;
        Self::allow_project(caller, project)?;
        let decide = self.grant(caller, request, offer);
        let update = Self::update(caller, project, None, Side::Nothing, decide);
        let updated = self
            .commit(id, update)
            .await
            .map_err(problems::from_store)?;
        updated
            .stream
            .job
            .ok_or_else(|| problems::not_found("job_not_found", "such job"))
    }

    async fn claim_next(
        &self,
        caller: &Caller,
        request: &Claim,
        offer: &Offer,
    ) -> Result<Option<Job>, Problem> {
        // The store fills in the project of the job it picks; this one is never written.
        let placeholder = ProjectId::from_uuid(Uuid::nil());
        let decide = self.grant(caller, request, offer);
        let update = Self::update(caller, placeholder, None, Side::Nothing, decide);
        match self.store.update_next_ready(offer.clone(), update).await {
            Ok(Some(updated)) => {
                self.hints.committed(&updated);
                Ok(updated.stream.job)
            }
            Ok(None) => Ok(None),
            Err(StoreError::Refused(
                Refusal::NotYet(_)
                | Refusal::BackingOff(_)
                | Refusal::Unmet(_)
                | Refusal::Policy
                | Refusal::WrongState { .. },
            )) => Ok(None),
            Err(error) => Err(problems::from_store(error)),
        }
    }

    /// The decision of a claim: policy is asked about the very job that the store picked.
    fn grant(&self, caller: &Caller, request: &Claim, offer: &Offer) -> Decide {
        let policy = Arc::clone(&self.policy);
        let decision_id = DecisionId::mint(&*self.clock, &*self.entropy);
        let lease = LeaseId::mint(&*self.clock, &*self.entropy);
        let principal = caller.principal.clone();
        let request = request.clone();
        let offer = offer.clone();
        let ttl_ms = self.limits.lease_ttl_ms;
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
                offer: offer.clone(),
                holder: request.holder.clone(),
                ttl_ms,
            });
            job::decide(stream, &command, now).map(Decision::events)
        })
    }

    async fn with_contract(&self, job: Job, lease: Lease) -> Result<ClaimedJob, Problem> {
        let contract = self.load_contract(job.contract).await?;
        let goes_on = match &job.state {
            JobState::Leased { goes_on } => goes_on.clone(),
            _ => None,
        };
        Ok(ClaimedJob {
            job,
            lease,
            contract,
            goes_on,
        })
    }
}

/// What became of one attempt to grant a lease.
enum Granted {
    Job(Box<ClaimedJob>),
    NoLease,
    NothingReady,
}
