//! Asking for work. A request whose answer was lost is made again as it was, so that what it was granted is not lost with it.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{Claim, ClaimedJob, Problem};
use dogwatch_core::ids::ClaimId;
use dogwatch_supervisor::os::clock::boottime_ns;
use tokio::task::JoinHandle;

use crate::runner::RunnerParts;

/// The longest a request may wait for work.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// One request for work, however often it is made.
#[derive(Clone, Debug)]
pub(super) struct Request {
    claim: Claim,
    /// When it was first made, on the boot clock: what it is granted may be as old as that.
    first_ns: Option<u64>,
}

/// What came of a request for work.
pub(super) struct Answer {
    /// The request.
    pub(super) request: Request,
    /// The jobs, or why there is no answer.
    pub(super) jobs: Result<Vec<ClaimedJob>, Problem>,
}

impl Request {
    /// A new request.
    pub(super) fn new(parts: &RunnerParts, max: u32, wait: Duration) -> Self {
        let wait = wait.min(LONGEST_WAIT);
        Self {
            claim: Claim {
                claim_id: ClaimId::mint(&*parts.clock, &*parts.entropy),
                machine: parts.machine,
                holder: parts.holder.clone(),
                job: None,
                max,
                wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            },
            first_ns: None,
        }
    }

    /// When what it was granted may have begun, on the boot clock.
    pub(super) fn asked_ns(&self) -> u64 {
        self.first_ns.unwrap_or_else(boottime_ns)
    }

    /// Makes it. It is never cut short: a request that was given up may still be granted something.
    pub(super) fn send(mut self, parts: &Arc<RunnerParts>) -> JoinHandle<Answer> {
        self.first_ns.get_or_insert_with(boottime_ns);
        let plane = Arc::clone(&parts.plane);
        tokio::spawn(async move {
            let jobs = plane.claim(self.claim.clone()).await;
            Answer {
                request: self,
                jobs: jobs.map(|claimed| claimed.jobs),
            }
        })
    }
}
