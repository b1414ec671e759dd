//! Promoting and rejecting a closed run.

use crate::job::command::{JudgeRun, LandRun, RunVerdict};
use crate::job::event::{DecisionEffect, JobEvent};
use crate::job::judgement::{Judgement, JudgementKind};
use crate::job::refusal::Refusal;
use crate::job::run_header::{RunHeader, RunOutcome};
use crate::job::state::Job;
use crate::time::Timestamp;

/// The longest reference and commit that a landing may name.
const MAX_NAME: usize = 512;

/// What a person said last stands, until the change has landed: then there is nothing left to say.
pub(super) fn judge(
    job: &Job,
    command: &JudgeRun,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    let header = sealed(job, command.run, command.manifest)?;
    let (kind, decision) = match &command.verdict {
        RunVerdict::Promote(decision) => (JudgementKind::Promote, Some(decision)),
        RunVerdict::Reject => (JudgementKind::Reject, None),
    };
    let outcome = header.closed.as_ref().map(|closure| closure.outcome);
    if kind == JudgementKind::Promote && outcome != Some(RunOutcome::Succeeded) {
        return Err(Refusal::NotPromotable(outcome));
    }
    if header
        .judgement
        .as_ref()
        .is_some_and(|said| said.kind == kind)
    {
        return Ok(Vec::new());
    }
    if header.landed.is_some() {
        return Err(Refusal::AlreadyLanded);
    }
    let mut events: Vec<_> = decision
        .cloned()
        .map(JobEvent::PolicyDecided)
        .into_iter()
        .collect();
    if decision.is_none_or(|decision| decision.effect == DecisionEffect::Allow) {
        events.push(JobEvent::RunJudged {
            run: command.run,
            judgement: Judgement {
                kind,
                manifest: command.manifest,
                reason: command.reason.clone(),
                by: command.actor.principal.clone(),
                token: command.actor.token_id,
                at: now,
            },
        });
    }
    Ok(events)
}

/// The change is in the repository. Only what was promoted lands, and it lands once.
pub(super) fn land(job: &Job, command: &LandRun) -> Result<Vec<JobEvent>, Refusal> {
    let header = sealed(job, command.run, command.manifest)?;
    for (what, text) in [
        ("reference", &command.landed.reference),
        ("commit", &command.landed.commit),
    ] {
        if text.len() > MAX_NAME {
            return Err(Refusal::TooLong {
                what,
                bytes: text.len(),
                max: MAX_NAME,
            });
        }
    }
    match (&header.landed, &header.judgement) {
        (Some(landed), _) if *landed == command.landed => Ok(Vec::new()),
        (Some(_), _) => Err(Refusal::AlreadyLanded),
        (None, Some(said)) if said.kind == JudgementKind::Promote => {
            Ok(vec![JobEvent::RunLanded {
                run: command.run,
                landed: command.landed.clone(),
            }])
        }
        (None, _) => Err(Refusal::NotPromoted),
    }
}

/// The run, if it is closed and its evidence is the one that was looked at.
fn sealed(
    job: &Job,
    run: crate::ids::RunId,
    manifest: crate::canonical::Sha256Digest,
) -> Result<&RunHeader, Refusal> {
    let header = job.run(run).ok_or(Refusal::WrongRun)?;
    let closure = header.closed.as_ref().ok_or(Refusal::RunNotClosed)?;
    match closure.manifest {
        None => Err(Refusal::EvidenceIncomplete),
        Some(sealed) if sealed != manifest => Err(Refusal::OtherEvidence { sealed }),
        Some(_) => Ok(header),
    }
}
