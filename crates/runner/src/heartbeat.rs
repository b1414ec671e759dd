//! Keeping a lease: a heartbeat on a task of its own, whose answers become orders for the run and a deadline for its shim.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{
    ControlPlane, Directive, Heartbeat, HeartbeatReply, HeldLease, Problem, ProblemCode, Synced,
};
use dogwatch_core::ids::MachineId;
use dogwatch_supervisor::Order;
use dogwatch_supervisor::os::clock::boottime_ns;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// How soon a heartbeat that was not answered is sent again, at most.
const AGAIN: Duration = Duration::from_secs(1);

/// The timing of leases, as the control plane wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseTiming {
    /// How often a lease is renewed.
    heartbeat: Duration,
    /// How long before its end its processes are ended.
    margin: Duration,
}

impl From<&Synced> for LeaseTiming {
    fn from(synced: &Synced) -> Self {
        Self {
            heartbeat: Duration::from_millis(synced.lease_heartbeat_ms.max(1)),
            margin: Duration::from_millis(synced.lease_margin_ms),
        }
    }
}

impl LeaseTiming {
    /// How often a lease is renewed.
    pub(crate) const fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Until when, on the boot clock, a lease may be used that was asked for at `sent_ns` and lives for `ttl`.
    fn deadline(&self, sent_ns: u64, ttl: Duration) -> u64 {
        let life = ttl.saturating_sub(self.margin).as_nanos();
        sent_ns.saturating_add(u64::try_from(life).unwrap_or(u64::MAX))
    }
}

/// What the heartbeat of a lease tells the run.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    /// Until when, on the boot clock, the run may write. The shim ends the tree then by itself.
    pub(crate) deadline: watch::Receiver<Option<u64>>,
    /// Whether the lease is gone.
    pub(crate) lost: watch::Receiver<bool>,
}

impl Pulse {
    /// Whether the control plane said that the lease is gone.
    pub(crate) fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Whether the lease has not been renewed for so long that it may be gone.
    pub(crate) fn is_over(&self, now_ns: u64) -> bool {
        self.deadline.borrow().is_some_and(|at| at <= now_ns)
    }

    /// Waits, but not longer than until the lease is lost.
    pub(crate) async fn wait_or_lost(&self, time: Duration) {
        let mut lost = self.lost.clone();
        let _ = tokio::time::timeout(time, lost.wait_for(|lost| *lost)).await;
    }
}

/// A heartbeat; it stops when this is dropped.
pub(crate) struct HeartbeatTask {
    task: JoinHandle<()>,
}

impl Drop for HeartbeatTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A lease to be kept.
pub(crate) struct Keep {
    pub(crate) plane: Arc<dyn ControlPlane>,
    pub(crate) machine: MachineId,
    pub(crate) held: HeldLease,
    pub(crate) timing: LeaseTiming,
    /// When it was asked for, on the boot clock.
    pub(crate) asked_ns: u64,
    /// How long it lives from then on.
    pub(crate) ttl: Duration,
    pub(crate) orders: watch::Sender<Order>,
    pub(crate) wake: Arc<Notify>,
    /// Told when no more work should be taken.
    pub(crate) drain: watch::Sender<bool>,
}

impl Keep {
    /// Starts the heartbeat.
    pub(crate) fn start(self) -> (HeartbeatTask, Pulse) {
        let (deadline, deadline_seen) =
            watch::channel(Some(self.timing.deadline(self.asked_ns, self.ttl)));
        let (lost, lost_seen) = watch::channel(false);
        let task = tokio::spawn(self.beat(deadline, lost));
        (
            HeartbeatTask { task },
            Pulse {
                deadline: deadline_seen,
                lost: lost_seen,
            },
        )
    }

    async fn beat(self, deadline: watch::Sender<Option<u64>>, lost: watch::Sender<bool>) {
        let interval = self.timing.heartbeat;
        // The answer may have been long under way, and then little of the lease is left.
        let age = Duration::from_nanos(boottime_ns().saturating_sub(self.asked_ns));
        let mut wait = interval.saturating_sub(age);
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.wake.notified() => {}
            }
            // The lease lives from when the request was sent: the answer may have been under way for long.
            let sent = boottime_ns();
            let reply = match tokio::time::timeout(interval, self.send()).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(problem)) if problem.kind == ProblemCode::LeaseLost => {
                    self.give_up(&lost);
                    return;
                }
                Ok(Err(problem)) => {
                    tracing::warn!(code = problem.code, "a heartbeat was not answered");
                    wait = interval.min(AGAIN);
                    continue;
                }
                Err(_) => {
                    tracing::warn!("a heartbeat was not answered in time");
                    wait = Duration::ZERO;
                    continue;
                }
            };
            wait = interval;
            if reply.drain {
                self.drain.send_replace(true);
            }
            let directive = reply
                .leases
                .into_iter()
                .find(|directive| directive.lease == self.held.lease)
                .map(|directive| directive.directive);
            if let Some(ttl) = directive.as_ref().and_then(Directive::ttl) {
                deadline.send_replace(Some(self.timing.deadline(sent, ttl)));
            }
            match directive {
                Some(Directive::Continue { .. }) | None => {}
                Some(Directive::Cancel { reason, .. }) => self.stop(reason),
                Some(Directive::Lost { .. }) => {
                    self.give_up(&lost);
                    return;
                }
            }
        }
    }

    async fn send(&self) -> Result<HeartbeatReply, Problem> {
        self.plane
            .heartbeat(Heartbeat {
                machine: self.machine,
                leases: vec![self.held],
            })
            .await
    }

    fn stop(&self, reason: String) {
        self.orders.send_if_modified(|order| {
            let fresh = *order == Order::GoOn;
            if fresh {
                *order = Order::Stop { reason };
            }
            fresh
        });
    }

    fn give_up(&self, lost: &watch::Sender<bool>) {
        lost.send_replace(true);
        self.orders.send_replace(Order::Kill {
            reason: "lease_lost".to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_the_life_of_the_lease_without_its_margin() {
        let timing = LeaseTiming {
            heartbeat: Duration::from_secs(10),
            margin: Duration::from_secs(5),
        };
        assert_eq!(timing.deadline(7, Duration::from_secs(30)), 25_000_000_007);
        // A lease shorter than its margin may not be used at all.
        assert_eq!(timing.deadline(7, Duration::from_secs(3)), 7);
    }
}
