//! What a job waits for that only time brings. Whoever watches asks for these; the job itself never looks at a clock.

use serde::{Deserialize, Serialize};

use super::state::{Job, JobState};
use crate::ids::ApprovalId;
use crate::time::Timestamp;

/// What happens when the time is over.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Timer {
    /// A wait before another attempt: `ms` of somebody's steady clock, counted from `since`.
    Backoff {
        /// How long.
        ms: u64,
        /// Since when.
        since: Timestamp,
    },
    /// A decision nobody made: `ms` of somebody's steady clock, counted from `since`.
    Approval {
        /// The approval.
        approval: ApprovalId,
        /// How long.
        ms: u64,
        /// Since when.
        since: Timestamp,
    },
    /// A deadline on the wall clock.
    Deadline {
        /// When.
        at: Timestamp,
    },
    /// A parked run may go on, on the wall clock.
    Resume {
        /// When.
        at: Timestamp,
    },
}

impl Job {
    /// Everything the job waits for that only time brings.
    pub fn timers(&self) -> Vec<Timer> {
        let mut timers: Vec<Timer> = self
            .pending_approvals()
            .map(|approval| Timer::Approval {
                approval: approval.id,
                ms: approval.ttl_ms,
                since: approval.requested_at,
            })
            .collect();
        let waits = match &self.state {
            JobState::Queued {
                backoff_ms, since, ..
            } => {
                timers.extend(backoff_ms.map(|ms| Timer::Backoff { ms, since: *since }));
                true
            }
            JobState::AwaitingApproval { .. } => true,
            JobState::Parked { until, due, .. } => {
                timers.extend(until.filter(|_| !due).map(|at| Timer::Resume { at }));
                true
            }
            _ => false,
        };
        if waits {
            timers.extend(self.deadline.map(|at| Timer::Deadline { at }));
        }
        timers
    }
}
