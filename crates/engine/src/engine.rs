//! What every use-case needs.

use std::sync::Arc;

use dogwatch_api::{Caller, Problem};
use dogwatch_core::ids::{DecisionId, JobId, ProjectId};
use dogwatch_core::job::{self, Decided, Job, JobCommand};
use dogwatch_core::limits::LeaseLimits;
use dogwatch_core::{Clock, Entropy};
use dogwatch_policy::{PolicyDecider, PolicyRequest};
use dogwatch_store::{
    Blobs, Decide, Decision, EventContext, Output, Side, Store, StoreError, Update, Updated,
};
use tokio::sync::{Mutex, RwLock, broadcast, watch};

use crate::hints::{Hint, Hints};
use crate::known::Known;
use crate::problems;
use crate::tokens::{LocalToken, TokenKey};
use crate::watch::Sweep;

/// What a control plane is made of.
pub struct EngineParts {
    /// Where streams and projections are.
    pub store: Arc<dyn Store>,
    /// Where payloads are.
    pub blobs: Arc<dyn Blobs>,
    /// Where the output of agents is.
    pub output: Arc<dyn Output>,
    /// What decides.
    pub policy: Arc<dyn PolicyDecider>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The random part of ids. Secrets come from the operating system, whatever this is.
    pub entropy: Arc<dyn Entropy>,
    /// The timing of leases.
    pub limits: LeaseLimits,
    /// The key that run tokens are made with.
    pub token_key: TokenKey,
    /// The token of this server process's own endpoint, if it has one.
    pub local: Option<LocalToken>,
}

/// The control plane.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) output: Arc<dyn Output>,
    pub(crate) policy: Arc<dyn PolicyDecider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) limits: LeaseLimits,
    pub(crate) token_key: TokenKey,
    pub(crate) local: Option<LocalToken>,
    pub(crate) known: Arc<Known>,
    pub(crate) hints: Hints,
    pub(crate) sweep: Mutex<Sweep>,
    /// Held for reading while a lease is renewed and for writing while one is expired, so that no holder is told to go on with a lease
    /// that is being taken away.
    pub(crate) renewing: RwLock<()>,
    pub(crate) draining: watch::Sender<bool>,
}

impl Engine {
    /// A control plane.
    pub fn new(parts: EngineParts) -> Self {
        Self {
            known: Arc::new(Known::new(Arc::clone(&parts.store))),
            store: parts.store,
            blobs: parts.blobs,
            output: parts.output,
            policy: parts.policy,
            clock: parts.clock,
            entropy: parts.entropy,
            limits: parts.limits,
            token_key: parts.token_key,
            local: parts.local,
            hints: Hints::new(),
            sweep: Mutex::new(Sweep::default()),
            renewing: RwLock::new(()),
            draining: watch::Sender::new(false),
        }
    }

    /// What changes, from now on. Hints may be lost: whoever lags or starts late looks.
    pub fn hints(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }

    /// Whether no more work is handed out. Runners hear of it with their heartbeats; what they have goes on.
    pub fn drain(&self, drain: bool) {
        self.draining.send_replace(drain);
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// The policy's answer to a request, ready to be recorded.
    pub(crate) fn decide_policy(
        policy: &dyn PolicyDecider,
        id: DecisionId,
        request: &PolicyRequest,
    ) -> Decided {
        let decision = policy.decide_closed(request);
        let digest = request
            .digest()
            .expect("a flat record of strings and one digest has canonical bytes");
        Decided {
            id,
            action: request.action.as_str().to_owned(),
            request: digest,
            policy: policy.name().to_owned(),
            policy_digest: policy.digest(),
            effect: decision.effect,
            reason: crate::texts::fit(&decision.reason, 300),
        }
    }

    pub(crate) fn update(
        caller: &Caller,
        project: ProjectId,
        trace: Option<String>,
        side: Side,
        decide: Decide,
    ) -> Update {
        Update {
            project,
            context: EventContext {
                actor: caller.actor(),
                cause: None,
                trace,
            },
            idempotency: None,
            side,
            decide,
        }
    }

    /// Commits an update and tells whoever waits for what it may have changed.
    pub(crate) async fn commit(&self, job: JobId, update: Update) -> Result<Updated, StoreError> {
        let updated = self.store.update(job, update).await?;
        self.hints.committed(&updated);
        Ok(updated)
    }

    /// Carries out a command that needs nothing beside the job stream, for a caller that may.
    pub(crate) async fn carry_out(
        &self,
        caller: &Caller,
        project: ProjectId,
        id: JobId,
        command: JobCommand,
    ) -> Result<Job, StoreError> {
        let update = Self::update(
            caller,
            project,
            None,
            Side::Nothing,
            Box::new(move |stream, now| job::decide(stream, &command, now).map(Decision::events)),
        );
        self.commit(id, update)
            .await?
            .stream
            .job
            .ok_or(StoreError::Refused(job::Refusal::NoSuchJob))
    }

    /// The same for a job that has yet to be looked at.
    pub(crate) async fn command(
        &self,
        caller: &Caller,
        id: JobId,
        command: JobCommand,
    ) -> Result<Job, Problem> {
        let project = self.load(id).await?.project;
        Self::allow_project(caller, project)?;
        self.carry_out(caller, project, id, command)
            .await
            .map_err(problems::from_store)
    }
}
