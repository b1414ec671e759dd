//! Deciding: a command against a state gives events or a refusal, and nothing else happens.

mod approve;
mod cancel;
mod claim;
mod clean_up;
mod close;
mod expire;
mod judge;
mod message;
mod park;
mod release;
mod retry;
mod revoke;
mod start;
mod submit;

use super::command::JobCommand;
use super::event::JobEvent;
use super::refusal::Refusal;
use super::state::{Job, JobStream};
use crate::event::Epoch;
use crate::ids::LeaseId;
use crate::time::Timestamp;

/// The events that `command` leads to. No events means that it was done before: a repeated call is answered, not repeated.
pub fn decide(
    stream: &JobStream,
    command: &JobCommand,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    match command {
        JobCommand::Submit(command) => submit::decide(stream, command, now),
        JobCommand::Claim(command) => claim::decide(job(stream)?, command, now),
        JobCommand::Start(command) => start::decide(job(stream)?, command, now),
        JobCommand::Close(command) => close::decide(job(stream)?, command, now),
        JobCommand::Release(command) => release::decide(job(stream)?, command, now),
        JobCommand::Revoke(command) => revoke::decide(job(stream)?, command, now),
        JobCommand::ExpireLease(command) => expire::lease(job(stream)?, command, now),
        JobCommand::Park(command) => park::decide(job(stream)?, command),
        JobCommand::RequestApproval(command) => approve::request(job(stream)?, command, now),
        JobCommand::DecideApproval(command) => approve::decide(job(stream)?, command, now),
        JobCommand::ExpireApproval { approval } => approve::expire(job(stream)?, *approval),
        JobCommand::MakeDue {} => Ok(park::make_due(job(stream)?)),
        JobCommand::ExpireJob {} => expire::job(job(stream)?, now),
        JobCommand::Message {
            lease,
            epoch,
            run,
            topic,
            text,
        } => message::decide(job(stream)?, *lease, *epoch, *run, topic, text),
        JobCommand::Cancel(command) => cancel::decide(job(stream)?, command, now),
        JobCommand::Retry(command) => retry::decide(job(stream)?, command, now),
        JobCommand::Judge(command) => judge::judge(job(stream)?, command, now),
        JobCommand::Land(command) => judge::land(job(stream)?, command),
        JobCommand::CleanUp { run, cleanup } => clean_up::decide(job(stream)?, *run, cleanup),
    }
}

fn job(stream: &JobStream) -> Result<&Job, Refusal> {
    stream.job.as_ref().ok_or(Refusal::NoSuchJob)
}

/// The fence: only the holder of the active lease, at its epoch, may write for the job.
pub fn fence(job: &Job, lease: LeaseId, epoch: Epoch) -> Result<(), Refusal> {
    if job.is_held_by(lease, epoch) {
        Ok(())
    } else {
        Err(Refusal::LeaseLost { current: job.epoch })
    }
}
