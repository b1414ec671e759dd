//! Where a job stands in one sentence, and what to do next.

use dogwatch_core::ids::RunId;
use dogwatch_core::job::{Job, JobState, ParkReason};
use dogwatch_core::queue::{Offer, QueueView, WaitingReason};

use crate::sessions::{SessionStanding, standing};

/// The sentence about the job, and one about the run that was asked for.
pub(super) fn summary(job: &Job, run: Option<RunId>, view: &QueueView, offers: &[Offer]) -> String {
    let mut text = of_job(job, view);
    if let Some(header) = run.and_then(|id| job.run(id)) {
        let stands = match &header.closed {
            Some(closure) => closure.outcome.as_str(),
            None => "not over",
        };
        text.push_str(&format!(
            "; {} (attempt {}) is {stands}",
            header.id, header.attempt
        ));
    }
    if let Some(other) = fallback(job, offers) {
        text.push_str(&other);
    }
    text
}

/// Where the session that was asked for takes no work and another one takes its place, that is said.
fn fallback(job: &Job, offers: &[Offer]) -> Option<String> {
    let session = job.session.filter(|_| !job.exact)?;
    if let Some(run) = job.runs.last() {
        return (run.session != Some(session)).then(|| {
            let instead = run
                .session
                .map_or_else(|| "no session".to_owned(), |other| other.to_string());
            format!("; its latest run is in {instead}, not in {session}")
        });
    }
    match standing(offers, session) {
        SessionStanding::Active => None,
        SessionStanding::Archived => Some(format!(
            "; {session} is archived, so another session of the project takes its place"
        )),
        SessionStanding::Nowhere => Some(format!(
            "; {session} is on no machine that is known, so another session of the project takes its place"
        )),
    }
}

fn of_job(job: &Job, view: &QueueView) -> String {
    match &job.state {
        JobState::Queued { reason, .. } => {
            let again = reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(" again ({reason})"));
            format!(
                "the job is queued{again} and waits {}",
                queued_for(job, view)
            )
        }
        JobState::AwaitingApproval { approval, .. } => {
            format!("the job waits for a person to decide {approval} before it starts")
        }
        JobState::Leased { .. } => format!("{} has the job and prepares its run", holder(job)),
        JobState::Running { run } => match &job.cancel {
            Some(cancel) => format!("{run} is asked to stop: {}", cancel.reason),
            None => format!("{run} is under way on {}", holder(job)),
        },
        JobState::Parked {
            run,
            machine,
            reason,
            due,
            until,
            ..
        } => {
            let waits = match (due, until) {
                (true, _) => "may go on as soon as that machine asks".to_owned(),
                (false, Some(until)) => format!("waits until {until}"),
                (false, None) => "waits".to_owned(),
            };
            format!(
                "{run} is parked on {machine} for {} and {waits}",
                reason.as_str()
            )
        }
        JobState::Blocked { failure } => format!(
            "a person has to act first ({}): {}",
            failure.code, failure.reason
        ),
        JobState::Succeeded {} => "the job succeeded".to_owned(),
        JobState::Failed {
            failure,
            dead_letter,
        } => {
            let last = if *dead_letter {
                ", and its attempts are used up"
            } else {
                ""
            };
            format!(
                "the job failed ({}): {}{last}",
                failure.code, failure.reason
            )
        }
        JobState::TimedOut { failure } => format!(
            "the job ran out of time ({}): {}",
            failure.code, failure.reason
        ),
        JobState::Cancelled { reason } => format!("the job was cancelled: {reason}"),
        JobState::Denied { failure } => {
            format!("the job was denied ({}): {}", failure.code, failure.reason)
        }
        JobState::Expired {} => "the job's deadline passed before it was done".to_owned(),
    }
}

fn queued_for(job: &Job, view: &QueueView) -> String {
    match view.waiting_reason {
        Some(WaitingReason::ScheduledForFuture) => job
            .not_before
            .map_or_else(|| "for its time".to_owned(), |at| format!("until {at}")),
        Some(WaitingReason::Backoff) => "before another attempt".to_owned(),
        Some(WaitingReason::NoEligibleRunner) => {
            "for a runner that can take it: none that is known can".to_owned()
        }
        _ => "for a runner to ask for it".to_owned(),
    }
}

fn holder(job: &Job) -> String {
    job.active_lease()
        .map_or_else(|| "a runner".to_owned(), |lease| lease.machine.to_string())
}

/// What to do next, if anything.
pub(super) fn next_action(job: &Job, view: &QueueView) -> String {
    let id = job.id.short();
    match &job.state {
        JobState::Queued { .. } => match view.waiting_reason {
            Some(WaitingReason::NoEligibleRunner) => {
                "start a runner that meets what the job demands".to_owned()
            }
            Some(WaitingReason::WaitingForRunner) => {
                "nothing: the next runner that is free takes it".to_owned()
            }
            _ => "nothing: it is only a matter of time".to_owned(),
        },
        JobState::AwaitingApproval { approval, .. } => decide(&approval.to_string()),
        JobState::Parked {
            approval: Some(approval),
            due: false,
            ..
        } => decide(&approval.to_string()),
        JobState::Leased { .. } | JobState::Running { .. } => {
            match job.pending_approvals().next() {
                Some(approval) => decide(&approval.id.to_string()),
                None => format!("watch it with `dogwatch logs {id} -f`"),
            }
        }
        JobState::Parked {
            machine,
            reason: ParkReason::Disk,
            ..
        } => format!(
            "make room where {machine} has its data directory; `dogwatch explain disk_low` says how much is wanted"
        ),
        JobState::Parked { .. } => "nothing: it goes on when what it waits for is there".to_owned(),
        JobState::Succeeded {} => format!("look at it with `dogwatch diff {id}`"),
        JobState::Cancelled { .. } => "nothing; `dogwatch jobs retry` runs it after all".to_owned(),
        JobState::Expired {} => "submit it again with a later deadline, or without one".to_owned(),
        JobState::Blocked { failure }
        | JobState::Failed { failure, .. }
        | JobState::TimedOut { failure }
        | JobState::Denied { failure } => failure.next_action.clone(),
    }
}

fn decide(approval: &str) -> String {
    format!(
        "decide it: `dogwatch approvals approve {approval}` or `dogwatch approvals deny {approval}`"
    )
}
