//! Another attempt.

use dogwatch_api::{Caller, Continue, Problem, Retried, RetryJob, Scope, Submit};
use dogwatch_core::job::{
    self, GoOn, Job, JobCommand, JobState, JobStatus, MAX_AUTOMATIC_ATTEMPTS, MAX_SAY_BYTES,
};

use super::submit::Repeats;
use crate::Engine;
use crate::access::is_person;
use crate::problems;
use crate::report;
use crate::texts::{fit, json_len};

impl Engine {
    /// Queues a blocked job again; a terminal one is repeated by a new job under the same contract bytes.
    pub async fn retry(&self, caller: &Caller, request: RetryJob) -> Result<Retried, Problem> {
        Self::allow(caller, Scope::Operate)?;
        let job = self.load(request.job).await?;
        Self::allow_project(caller, job.project)?;
        let goes_on = match &request.goes_on {
            Some(wanted) => Some(go_on(&job, wanted)?),
            None => None,
        };
        match job.state.status() {
            JobStatus::Queued => queued_already(&job, goes_on.as_ref()),
            JobStatus::Blocked => {
                let command = JobCommand::Retry(job::RetryJob {
                    reason: fit(&request.reason, 300),
                    goes_on,
                });
                let job = self.command(caller, request.job, command).await?;
                Ok(Retried {
                    job_id: job.id,
                    new: false,
                })
            }
            JobStatus::Succeeded
            | JobStatus::Failed
            | JobStatus::TimedOut
            | JobStatus::Cancelled
            | JobStatus::Denied
            | JobStatus::Expired => self.repeat(caller, request, job, goes_on).await,
            status @ (JobStatus::AwaitingApproval
            | JobStatus::Leased
            | JobStatus::Running
            | JobStatus::Parked) => Err(problems::conflict(
                "wrong_state",
                format!("the job is {status}, so it cannot be retried"),
                "wait for it, or cancel it first",
            )),
        }
    }

    async fn repeat(
        &self,
        caller: &Caller,
        request: RetryJob,
        job: Job,
        goes_on: Option<GoOn>,
    ) -> Result<Retried, Problem> {
        let attempts = job.first_attempt.saturating_sub(1) + job.starts();
        if attempts >= MAX_AUTOMATIC_ATTEMPTS && !is_person(caller) {
            return Err(problems::conflict(
                "retry_limit",
                format!("the job was tried {attempts} times, and only a person asks for more"),
                "look at why it failed, then give it another attempt with `dogwatch jobs retry`",
            ));
        }
        let contract = self.load_contract(job.contract).await?;
        let repeats = Repeats {
            job: Some(job.id),
            first_attempt: Some(job.first_attempt + job.starts()),
            goes_on,
        };
        let now = self.clock.now();
        let submit = Submit {
            project: job.project,
            session: job.session,
            exact: job.exact,
            topic: job.topic,
            contract,
            contract_hash: job.contract,
            priority: job.priority,
            not_before: None,
            // Who asks again after the deadline wants the result in spite of it.
            deadline: job.deadline.filter(|at| *at > now),
            context: job.context,
            idempotency_key: request.idempotency_key,
            trace: None,
        };
        let submitted = self.submit_repeating(caller, submit, repeats).await?;
        Ok(Retried {
            job_id: submitted.job_id,
            new: true,
        })
    }
}

/// The job waits for its next attempt already; another way to go on than it has would be lost.
fn queued_already(job: &Job, wanted: Option<&GoOn>) -> Result<Retried, Problem> {
    let has = match &job.state {
        JobState::Queued { goes_on, .. } => goes_on.as_ref(),
        _ => None,
    };
    if wanted.is_some() && wanted != has {
        return Err(problems::conflict(
            "wrong_state",
            "the job is queued already, and its next run goes on from elsewhere",
            "cancel it and retry then, or let it run as it is",
        ));
    }
    report::repeated_retry(job.id);
    Ok(Retried {
        job_id: job.id,
        new: false,
    })
}

/// What the next run goes on from: the run that was named, or the job's latest.
fn go_on(job: &Job, wanted: &Continue) -> Result<GoOn, Problem> {
    let run = match wanted.run {
        Some(id) => job
            .run(id)
            .ok_or_else(|| problems::not_found("run_not_found", &format!("{id} in {}", job.id)))?,
        None => job.runs.last().ok_or_else(|| {
            problems::conflict(
                "no_run",
                "the job was never started, so there is nothing to go on from",
                "retry it without continuing",
            )
        })?,
    };
    if let Some(say) = &wanted.say {
        let bytes = json_len(say);
        if bytes > MAX_SAY_BYTES {
            return Err(problems::invalid(
                "too_long",
                format!("`say` is {bytes} bytes as it is stored, more than {MAX_SAY_BYTES}"),
                "shorten it; more belongs into a new task",
            ));
        }
    }
    Ok(GoOn {
        run: run.id,
        say: wanted.say.clone(),
    })
}
