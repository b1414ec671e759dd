//! The commands of a life, as updates.

use dogwatch_core::Sha256Digest;
use dogwatch_core::event::{Actor, Epoch, Via};
use dogwatch_core::ids::{ClaimId, DecisionId, JobId, LeaseId, ProjectId, RunId};
use dogwatch_core::job::{
    Assurance, CancelJob, ClaimJob, CloseRun, Decided, DecisionEffect, JobCommand, Lease,
    ReleaseLease, RetryJob, RevokeLease, RunClosure, RunOutcome, StartFrom, StartRun, SubmitJob,
    Submitted, decide,
};
use dogwatch_core::queue::Offer;
use dogwatch_core::{Failure, FailureClass};

use super::bench::Bench;
use crate::{Decision, EventContext, Idempotency, Side, StoreError, Update, Updated};

/// A job that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The job.
    pub job: JobId,
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
}

impl Held {
    /// A job under a lease.
    pub fn of(job: JobId, lease: &Lease) -> Self {
        Self {
            job,
            lease: lease.id,
            epoch: lease.epoch,
        }
    }
}

impl Bench {
    /// An id of a job to come.
    pub fn new_job(&self) -> JobId {
        JobId::mint(self.clock.as_ref(), self.entropy.as_ref())
    }

    /// An update that carries out a command.
    pub fn update(&self, command: JobCommand) -> Update {
        self.deciding(move |stream, now| decide(stream, &command, now).map(Decision::events))
    }

    /// An update with a decision of one's own.
    pub fn deciding<F>(&self, decide: F) -> Update
    where
        F: Fn(
                &dogwatch_core::job::JobStream,
                dogwatch_core::Timestamp,
            ) -> Result<Decision, dogwatch_core::job::Refusal>
            + Send
            + Sync
            + 'static,
    {
        Update {
            project: self.project,
            context: context(),
            idempotency: None,
            side: Side::Nothing,
            decide: Box::new(decide),
        }
    }

    /// Carries out a command.
    pub async fn command(&self, job: JobId, command: JobCommand) -> Result<Updated, StoreError> {
        self.store.update(job, self.update(command)).await
    }

    /// A policy's answer.
    pub fn decided(&self, action: &str, effect: DecisionEffect) -> Decided {
        Decided {
            id: DecisionId::mint(self.clock.as_ref(), self.entropy.as_ref()),
            action: action.to_owned(),
            request: Sha256Digest::of(action.as_bytes()),
            policy: "builtin:allow-all@1".to_owned(),
            policy_digest: Sha256Digest::of(b"policy"),
            effect,
            reason: "because".to_owned(),
        }
    }

    /// The facts of a plain job.
    pub fn facts(&self, job: JobId) -> Submitted {
        Submitted {
            job,
            project: self.project,
            session: None,
            topic: "default".to_owned(),
            title: "do it".to_owned(),
            agent: "scripted".to_owned(),
            base: "0".repeat(40),
            contract: Sha256Digest::of(b"contract"),
            priority: 0,
            not_before: None,
            deadline: None,
            max_attempts: 1,
            retry_of: None,
            first_attempt: 1,
            exact: false,
            approval: None,
            goes_on: None,
            trace: None,
            context: None,
        }
    }

    /// A submission that policy allows.
    pub fn submission(&self, facts: Submitted) -> JobCommand {
        JobCommand::Submit(SubmitJob {
            decision: self.decided("job.submit", DecisionEffect::Allow),
            facts,
        })
    }

    /// Submits a plain job.
    pub async fn submit(&self) -> JobId {
        self.submit_with(|_| {}).await
    }

    /// Submits a job that is a little different.
    pub async fn submit_with(&self, change: impl FnOnce(&mut Submitted)) -> JobId {
        self.tick();
        let job = self.new_job();
        let mut facts = self.facts(job);
        change(&mut facts);
        self.command(job, self.submission(facts)).await.unwrap();
        job
    }

    /// A claim of whatever is next.
    pub fn claiming(&self) -> Update {
        self.update(self.claim_command())
    }

    /// What this bench's machine has to offer: everything.
    pub fn offer(&self) -> Offer {
        Offer::anything(self.machine)
    }

    /// The command of a claim.
    pub fn claim_command(&self) -> JobCommand {
        self.claim_command_of(self.offer())
    }

    /// The command of a claim by some machine.
    pub fn claim_command_of(&self, offer: Offer) -> JobCommand {
        JobCommand::Claim(ClaimJob {
            decision: self.decided("job.dispatch", DecisionEffect::Allow),
            claim: ClaimId::mint(self.clock.as_ref(), self.entropy.as_ref()),
            lease: LeaseId::mint(self.clock.as_ref(), self.entropy.as_ref()),
            offer,
            holder: None,
            ttl_ms: 30_000,
        })
    }

    /// Claims whatever is next.
    pub async fn try_claim(&self) -> Option<Held> {
        self.try_claim_of(self.offer()).await
    }

    /// Claims whatever is next for some machine.
    pub async fn try_claim_of(&self, offer: Offer) -> Option<Held> {
        let update = self.update(self.claim_command_of(offer.clone()));
        let claimed = self.store.update_next_ready(offer, update).await.unwrap()?;
        Some(held(&claimed))
    }

    /// Claims what has to be next.
    pub async fn claim(&self, expected: JobId) -> Held {
        let held = self.try_claim().await.expect("a job is ready");
        assert_eq!(held.job, expected);
        held
    }

    /// Starts a run.
    pub async fn start(&self, held: Held) -> RunId {
        let run = RunId::mint(self.clock.as_ref(), self.entropy.as_ref());
        self.command(held.job, self.start_command(held, run))
            .await
            .unwrap();
        run
    }

    /// The command that starts a run.
    pub fn start_command(&self, held: Held, run: RunId) -> JobCommand {
        JobCommand::Start(StartRun {
            lease: held.lease,
            epoch: held.epoch,
            run,
            session: None,
            continues: None,
            start_from: StartFrom::Base,
        })
    }

    /// How a run ends.
    pub fn closure(&self, outcome: RunOutcome) -> RunClosure {
        let failure = (outcome != RunOutcome::Succeeded).then(|| {
            Failure::new(
                FailureClass::Agent,
                "agent_exit",
                "turns",
                "it did not work",
                "look at it",
            )
        });
        RunClosure {
            outcome,
            failure,
            tree: Some("a".repeat(40)),
            assurance: Assurance::Gates,
            manifest: Some(Sha256Digest::of(b"manifest")),
            turns: 1,
            at: self.now(),
        }
    }

    /// The command that ends a run.
    pub fn close_command(&self, held: Held, run: RunId, outcome: RunOutcome) -> JobCommand {
        JobCommand::Close(CloseRun {
            lease: held.lease,
            epoch: held.epoch,
            run,
            closure: self.closure(outcome),
        })
    }

    /// Ends a run.
    pub async fn close(&self, held: Held, run: RunId, outcome: RunOutcome) {
        self.tick();
        self.command(held.job, self.close_command(held, run, outcome))
            .await
            .unwrap();
    }

    /// The command that gives a job back.
    pub fn release_command(&self, held: Held) -> JobCommand {
        JobCommand::Release(ReleaseLease {
            lease: held.lease,
            epoch: held.epoch,
            reason: "draining".to_owned(),
        })
    }

    /// The command that takes a job away.
    pub fn revoke_command(&self, held: Held) -> JobCommand {
        JobCommand::Revoke(RevokeLease {
            lease: held.lease,
            closure: self.closure(RunOutcome::Orphaned),
            reason: "holder_dead".to_owned(),
        })
    }

    /// The command that calls a job off.
    pub fn cancel_command(&self) -> JobCommand {
        JobCommand::Cancel(CancelJob {
            reason: "changed my mind".to_owned(),
        })
    }

    /// The command that asks for one more attempt.
    pub fn retry_command(&self) -> JobCommand {
        JobCommand::Retry(RetryJob {
            reason: "try again".to_owned(),
            goes_on: None,
        })
    }

    /// A key of this bench's project for a request.
    pub fn key(&self, key: &str, request: &str) -> Idempotency {
        self.key_of(self.project, key, request)
    }

    /// A key of some project for a request.
    pub fn key_of(&self, project: ProjectId, key: &str, request: &str) -> Idempotency {
        Idempotency {
            project,
            key: key.to_owned(),
            request: Sha256Digest::of(request.as_bytes()),
        }
    }

    /// Submits a job, takes it and starts it.
    pub async fn running(&self) -> (Held, RunId) {
        let job = self.submit().await;
        let held = self.claim(job).await;
        let run = self.start(held).await;
        (held, run)
    }
}

/// The context of everything that the suite does itself.
pub(super) fn context() -> EventContext {
    EventContext {
        actor: Actor::new("user:suite", Via::Cli),
        cause: None,
        trace: None,
    }
}

/// What a claim took.
pub(super) fn held(claimed: &Updated) -> Held {
    let job = claimed.stream.job.as_ref().expect("a claimed job");
    Held::of(
        job.id,
        job.active_lease().expect("a claimed job has a lease"),
    )
}
