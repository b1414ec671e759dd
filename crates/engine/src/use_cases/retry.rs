//! Another attempt.

use dogwatch_api::{Caller, Problem, Retried, RetryJob, Scope, Submit};
use dogwatch_core::job::{self, Job, JobCommand, JobStatus};

use super::submit::Repeats;
use crate::Engine;
use crate::problems;

impl Engine {
    /// Queues a blocked job again; a terminal one is repeated by a new job under the same contract bytes.
    pub async fn retry(&self, caller: &Caller, request: RetryJob) -> Result<Retried, Problem> {
        Self::allow(caller, Scope::Operate)?;
        let job = self.load(request.job).await?;
        Self::allow_project(caller, job.project)?;
        match job.state.status() {
            JobStatus::Queued => Ok(Retried {
                job_id: job.id,
                new: false,
            }),
            JobStatus::Blocked => {
                let command = JobCommand::Retry(job::RetryJob {
                    reason: dogwatch_core::failure::clip(&request.reason, 300),
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
            | JobStatus::Expired => self.repeat(caller, request, job).await,
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
    ) -> Result<Retried, Problem> {
        let contract = self.load_contract(job.contract).await?;
        let repeats = Repeats {
            job: Some(job.id),
            first_attempt: Some(job.first_attempt + job.starts()),
        };
        let submit = Submit {
            project: job.project,
            session: job.session,
            topic: job.topic,
            contract,
            contract_hash: job.contract,
            priority: job.priority,
            not_before: None,
            deadline: job.deadline,
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
