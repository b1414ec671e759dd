//! Renewing leases.

use dogwatch_api::{
    Caller, Directive, Heartbeat, HeartbeatReply, HeldLease, LeaseDirective, Problem, Scope,
};
use dogwatch_core::event::Epoch;
use dogwatch_core::ids::MachineId;
use dogwatch_core::job::{Refusal, decide::fence};
use dogwatch_store::{Decision, Side, StoreError};

use crate::Engine;
use crate::problems;
use crate::report;

/// The most leases of one machine.
const MAX_LEASES: usize = 1_000;

impl Engine {
    /// Counts a renewal of each lease that is still the caller's, and says what to do with it.
    pub async fn heartbeat(
        &self,
        caller: &Caller,
        request: Heartbeat,
    ) -> Result<HeartbeatReply, Problem> {
        Self::allow(caller, Scope::Runner)?;
        if request.leases.len() > MAX_LEASES {
            return Err(problems::field(
                "leases",
                format_args!("names more than {MAX_LEASES}"),
            ));
        }
        self.known.touch(request.machine, self.clock.now());
        let mut leases = Vec::with_capacity(request.leases.len());
        for held in request.leases {
            leases.push(LeaseDirective {
                lease: held.lease,
                directive: self.renew(caller, request.machine, held).await?,
            });
        }
        Ok(HeartbeatReply {
            leases,
            drain: self.is_draining(),
        })
    }

    async fn renew(
        &self,
        caller: &Caller,
        machine: MachineId,
        held: HeldLease,
    ) -> Result<Directive, Problem> {
        let known = self.store.job(held.job).await;
        let Some(job) = known.map_err(problems::from_store)? else {
            report::lost_lease(held.job);
            return Ok(Directive::Lost {
                epoch: Epoch::default(),
            });
        };
        Self::allow_project(caller, job.project)?;
        let update = Self::update(
            caller,
            job.project,
            None,
            Side::Renewal { lease: held.lease },
            Box::new(move |stream, _now| {
                let job = stream.job.as_ref().ok_or(Refusal::NoSuchJob)?;
                fence(job, held.lease, held.epoch)?;
                match job.active_lease() {
                    Some(lease) if lease.machine == machine => Ok(Decision::default()),
                    Some(_) | None => Err(Refusal::LeaseLost { current: job.epoch }),
                }
            }),
        );
        let renewed = {
            let _no_lease_expires_meanwhile = self.renewing.read().await;
            self.store.update(held.job, update).await
        };
        let ttl_ms = self.limits.lease_ttl_ms;
        match renewed {
            Ok(updated) => Ok(match updated.stream.job.and_then(|job| job.cancel) {
                Some(cancel) => Directive::Cancel {
                    reason: cancel.reason,
                    ttl_ms,
                },
                None => Directive::Continue { ttl_ms },
            }),
            Err(StoreError::Refused(Refusal::LeaseLost { current })) => {
                report::lost_lease(held.job);
                Ok(Directive::Lost { epoch: current })
            }
            Err(error) => Err(problems::from_store(error)),
        }
    }
}
