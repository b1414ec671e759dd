//! What is worth a line in the operational log: each refused call of a runner, and whatever else points at a fault in the fleet.

use dogwatch_api::{Problem, ProblemCode};
use dogwatch_core::ids::{JobId, RunId};
use tracing::field::display;

/// What a line is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About {
    pub(crate) job: Option<JobId>,
    pub(crate) run: Option<RunId>,
}

impl About {
    pub(crate) const fn job(job: JobId) -> Self {
        Self {
            job: Some(job),
            run: None,
        }
    }

    pub(crate) const fn run(job: JobId, run: RunId) -> Self {
        Self {
            job: Some(job),
            run: Some(run),
        }
    }
}

/// A call of a runner, for its name in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunnerCall {
    /// The event of a refusal, such as `claim.failed`.
    pub(crate) failed: &'static str,
    pub(crate) about: About,
}

/// Hands a result on, and says so where it is a refusal.
pub(crate) fn answered<T>(call: RunnerCall, result: Result<T, Problem>) -> Result<T, Problem> {
    if let Err(problem) = &result {
        refused(call, problem);
    }
    result
}

fn refused(call: RunnerCall, problem: &Problem) {
    let job = call.about.job.map(display);
    let run_id = call.about.run.map(display);
    let code = problem.code.as_str();
    match problem.kind {
        ProblemCode::LeaseLost => tracing::warn!(
            lane = "governance",
            event = "lease.mismatch",
            call = call.failed,
            code,
            run_id,
            job,
            "{problem}"
        ),
        ProblemCode::Internal | ProblemCode::Unavailable => tracing::error!(
            lane = "runtime",
            event = call.failed,
            code,
            run_id,
            job,
            "{problem}"
        ),
        _ => tracing::warn!(
            lane = "runtime",
            event = call.failed,
            code,
            run_id,
            job,
            "{problem}"
        ),
    }
}

/// A heartbeat named a lease that is not its sender's any more.
pub(crate) fn lost_lease(job: JobId) {
    tracing::warn!(
        lane = "governance",
        event = "lease.mismatch",
        call = "heartbeat.failed",
        code = "lease_lost",
        job = %job,
        "a heartbeat named a lease that is lost"
    );
}

/// A job demands a session that cannot take it.
pub(crate) fn unroutable_session(problem: &Problem) {
    tracing::warn!(
        lane = "runtime",
        event = "session.unroutable",
        code = problem.code.as_str(),
        "{problem}"
    );
}

/// A job was asked to be tried again that waits already.
pub(crate) fn repeated_retry(job: JobId) {
    tracing::warn!(lane = "runtime", event = "retry.repeated", job = %job, "the job is queued already");
}

/// A lease was taken from a holder that stopped renewing it.
pub(crate) fn expired_lease(job: JobId, run: Option<RunId>) {
    let run_id = run.map(display);
    tracing::warn!(
        lane = "governance",
        event = "lease.expired",
        code = "lease_expired",
        run_id,
        job = %job,
        "the lease was not renewed in time"
    );
}

/// Something that time brings could not be carried out; it is tried again with the next sweep.
pub(crate) fn failed_timer(job: JobId, problem: &Problem) {
    tracing::error!(
        lane = "runtime",
        event = "sweep.failed",
        code = problem.code.as_str(),
        job = %job,
        "{problem}"
    );
}
