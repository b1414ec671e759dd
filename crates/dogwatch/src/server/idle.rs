//! When a server that nobody asked to stay may go.

use std::time::Duration;

use dogwatch_core::job::JobStatus;
use dogwatch_server::Activity;
use dogwatch_store::{JobFilter, PageRequest, Reads, StoreError};

/// The states of jobs that something may still happen to without a person: the server stays for those.
const UNFINISHED: [JobStatus; 5] = [
    JobStatus::Queued,
    JobStatus::AwaitingApproval,
    JobStatus::Leased,
    JobStatus::Running,
    JobStatus::Parked,
];

/// How often it is asked, at most.
const LOOK: Duration = Duration::from_millis(500);

/// Returns when nobody has used the server for `idle` and no job is left that could go on.
pub(super) async fn nothing_to_do(store: &dyn Reads, activity: &Activity, idle: Duration) {
    loop {
        let quiet = activity.idle_for().unwrap_or(Duration::ZERO);
        if quiet >= idle {
            match unfinished(store).await {
                Ok(false) => return,
                Ok(true) => {}
                // What cannot be read is no reason to go.
                Err(error) => tracing::warn!(%error, "the jobs could not be read"),
            }
        }
        let left = idle.saturating_sub(quiet);
        tokio::time::sleep(left.clamp(Duration::from_millis(20), LOOK)).await;
    }
}

async fn unfinished(store: &dyn Reads) -> Result<bool, StoreError> {
    let filter = JobFilter {
        project: None,
        statuses: UNFINISHED.to_vec(),
    };
    let page = PageRequest {
        limit: 1,
        cursor: None,
    };
    Ok(!store.jobs(filter, page).await?.items.is_empty())
}
