//! Keeping a lease: a heartbeat on a task of its own, whose answers become orders for the run and a deadline for its shim.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{ControlPlane, Directive, Heartbeat, HeldLease};
use dogwatch_core::ids::MachineId;
use dogwatch_core::limits::LeaseLimits;
use dogwatch_supervisor::Order;
use dogwatch_supervisor::os::clock::boottime_ns;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What the heartbeat of a lease tells the run.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    /// Until when, on the boot clock, the run may write. The shim ends the tree then by itself.
    pub(crate) deadline: watch::Receiver<Option<u64>>,
    /// Whether the lease is gone.
    pub(crate) lost: watch::Receiver<bool>,
}

pub(crate) struct HeartbeatTask {
    task: JoinHandle<()>,
}

impl Drop for HeartbeatTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts the heartbeat of a lease that was asked for at `claimed_at_ns` on the boot clock.
pub(crate) fn start(
    plane: Arc<dyn ControlPlane>,
    machine: MachineId,
    held: HeldLease,
    limits: LeaseLimits,
    claimed_at_ns: u64,
    orders: watch::Sender<Order>,
    wake: Arc<Notify>,
) -> (HeartbeatTask, Pulse) {
    let ttl = Duration::from_millis(limits.lease_ttl_ms);
    let (deadline, deadline_seen) =
        watch::channel(Some(deadline_after(claimed_at_ns, ttl, &limits)));
    let (lost, lost_seen) = watch::channel(false);
    let task = tokio::spawn(async move {
        let interval = Duration::from_millis(limits.lease_heartbeat_ms);
        loop {
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = wake.notified() => {}
            }
            // The lease lives from when the request was sent: the answer may have been under way for long.
            let sent = boottime_ns();
            let reply = plane
                .heartbeat(Heartbeat {
                    machine,
                    leases: vec![held],
                })
                .await;
            let directive = match reply {
                Ok(reply) => reply
                    .leases
                    .into_iter()
                    .find(|directive| directive.lease == held.lease)
                    .map(|directive| directive.directive),
                Err(problem) => {
                    tracing::warn!(code = problem.code, "heartbeat was not answered");
                    continue;
                }
            };
            match directive {
                Some(Directive::Continue { ttl }) => {
                    deadline.send_replace(Some(deadline_after(sent, ttl, &limits)));
                }
                Some(Directive::Cancel { reason }) => {
                    deadline.send_replace(Some(deadline_after(sent, ttl, &limits)));
                    orders.send_if_modified(|order| {
                        let fresh = *order == Order::GoOn;
                        if fresh {
                            *order = Order::Stop { reason };
                        }
                        fresh
                    });
                }
                Some(Directive::Lost { .. }) => {
                    lost.send_replace(true);
                    orders.send_replace(Order::Kill {
                        reason: "lease_lost".to_owned(),
                    });
                    return;
                }
                None => {}
            }
        }
    });
    (
        HeartbeatTask { task },
        Pulse {
            deadline: deadline_seen,
            lost: lost_seen,
        },
    )
}

fn deadline_after(sent_ns: u64, ttl: Duration, limits: &LeaseLimits) -> u64 {
    let margin = Duration::from_millis(limits.lease_margin_ms);
    let life = u64::try_from(ttl.saturating_sub(margin).as_nanos()).unwrap_or(u64::MAX);
    sent_ns.saturating_add(life)
}
