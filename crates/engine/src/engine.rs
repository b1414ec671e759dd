//! What every use-case needs.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{Caller, Problem, Scope};
use dogwatch_core::ids::{DecisionId, ProjectId};
use dogwatch_core::job::Decided;
use dogwatch_core::limits::LeaseLimits;
use dogwatch_core::{Clock, Entropy};
use dogwatch_policy::{PolicyDecider, PolicyRequest};
use dogwatch_store::{Decide, EventContext, Side, Store, Update};

use crate::problems;

/// The control plane.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) policy: Arc<dyn PolicyDecider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lease_ttl: Duration,
}

impl Engine {
    /// A control plane over a store, under a policy.
    pub fn new(
        store: Arc<dyn Store>,
        policy: Arc<dyn PolicyDecider>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        limits: &LeaseLimits,
    ) -> Self {
        Self {
            store,
            policy,
            clock,
            entropy,
            lease_ttl: Duration::from_millis(limits.lease_ttl_ms),
        }
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
            reason: dogwatch_core::failure::clip(&decision.reason, 300),
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

    pub(crate) fn allow(caller: &Caller, scope: Scope) -> Result<(), Problem> {
        if caller.may(scope) {
            Ok(())
        } else {
            Err(problems::forbidden(scope))
        }
    }

    pub(crate) fn allow_project(caller: &Caller, project: ProjectId) -> Result<(), Problem> {
        if caller.may_see(project) {
            Ok(())
        } else {
            Err(problems::foreign_project(project))
        }
    }
}
