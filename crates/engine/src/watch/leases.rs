//! Leases whose renewals stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use dogwatch_core::ids::LeaseId;

/// An active lease, as it stands at one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WatchedLease {
    pub(crate) lease: LeaseId,
    /// How often it was renewed.
    pub(crate) renewals: u64,
    /// How long it lives without a renewal.
    pub(crate) ttl: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    renewals: u64,
    since: Duration,
}

/// Which counters moved, and since when the others have not.
#[derive(Debug, Default)]
pub(crate) struct LeaseWatch(BTreeMap<LeaseId, Seen>);

impl LeaseWatch {
    /// Looks at every active lease at an instant of the watcher's steady clock, and names those that are over. Each of them is named
    /// again with every look until it is gone from the list.
    pub(crate) fn look(&mut self, now: Duration, leases: &[WatchedLease]) -> Vec<LeaseId> {
        let mut seen = BTreeMap::new();
        let mut over = Vec::new();
        for lease in leases {
            let since = self
                .0
                .get(&lease.lease)
                .filter(|before| before.renewals == lease.renewals)
                .map_or(now, |before| before.since);
            if now.saturating_sub(since) >= lease.ttl {
                over.push(lease.lease);
            }
            let renewals = lease.renewals;
            seen.insert(lease.lease, Seen { renewals, since });
        }
        self.0 = seen;
        over
    }
}
