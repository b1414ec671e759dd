//! Leases: the exclusive right to run a job, fenced by an epoch.

use serde::{Deserialize, Serialize};

use crate::event::Epoch;
use crate::ids::{ClaimId, LeaseId, MachineId};
use crate::time::Timestamp;

/// The process that holds a lease, named so that a recycled process id is never mistaken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The kernel's boot id.
    pub boot_id: String,
    /// The process id.
    pub pid: i32,
    /// The process's start time in clock ticks since boot.
    pub start_time: u64,
}

/// Where a lease stands. `Active` is left once, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// The holder may write.
    Active,
    /// The holder gave it back.
    Released,
    /// Its renewals stopped.
    Expired,
    /// It was taken away.
    Revoked,
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Its id.
    pub id: LeaseId,
    /// Its fencing epoch, greater than that of every lease before it.
    pub epoch: Epoch,
    /// The machine it was granted to.
    pub machine: MachineId,
    /// The process it was granted to, where the holder is on the server's own machine.
    pub holder: Option<Holder>,
    /// The claim that it answers.
    pub claim: ClaimId,
    /// How long it lives without a renewal.
    pub ttl_ms: u64,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// Where it stands.
    pub state: LeaseState,
}
