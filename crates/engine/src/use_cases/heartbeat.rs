//! Renewing leases.

use dogwatch_api::{
    Caller, Directive, Heartbeat, HeartbeatReply, HeldLease, LeaseDirective, Problem, Scope,
};
use dogwatch_core::job::{Refusal, decide::fence};
use dogwatch_store::{Decision, Side, StoreError};

use crate::Engine;
use crate::problems;

impl Engine {
    /// Counts a renewal of each lease that is still the caller's, and says what to do with it.
    pub async fn heartbeat(
        &self,
        caller: &Caller,
        request: Heartbeat,
    ) -> Result<HeartbeatReply, Problem> {
        Self::allow(caller, Scope::Runner)?;
        let mut leases = Vec::with_capacity(request.leases.len());
        for held in request.leases {
            leases.push(LeaseDirective {
                lease: held.lease,
                directive: self.renew(caller, held).await?,
            });
        }
        Ok(HeartbeatReply { leases })
    }

    async fn renew(&self, caller: &Caller, held: HeldLease) -> Result<Directive, Problem> {
        let project = self.load(held.job).await?.project;
        let update = Self::update(
            caller,
            project,
            None,
            Side::Renewal { lease: held.lease },
            Box::new(move |stream, _now| {
                let job = stream.job.as_ref().ok_or(Refusal::NoSuchJob)?;
                fence(job, held.lease, held.epoch)?;
                Ok(Decision::default())
            }),
        );
        match self.store.update(held.job, update).await {
            Ok(updated) => Ok(match updated.stream.job.and_then(|job| job.cancel) {
                Some(cancel) => Directive::Cancel {
                    reason: cancel.reason,
                },
                None => Directive::Continue {
                    ttl: self.lease_ttl,
                },
            }),
            Err(StoreError::Refused(Refusal::LeaseLost { current })) => {
                Ok(Directive::Lost { epoch: current })
            }
            Err(error) => Err(problems::from_store(error)),
        }
    }
}
