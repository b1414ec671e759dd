//! Approvals: asking for one, deciding it, and what becomes of it when its time is over or what it was about changes.

use crate::canonical;
use crate::event::Actor;
use crate::failure::{Failure, FailureClass, clip};
use crate::ids::{ApprovalId, RunId, uuid_v7};
use crate::job::approval::{
    Approval, ApprovalDecision, ApprovalKind, ApprovalState, MAX_ACTION_BYTES,
};
use crate::job::command::{DecideApproval, RequestApproval, Verdict};
use crate::job::event::{JobEvent, Submitted};
use crate::job::refusal::Refusal;
use crate::job::state::{Job, JobState};
use crate::time::Timestamp;
use crate::{Sha256Digest, event::Epoch};

use super::fence;

/// The longest reason of a request and note of a decision.
const MAX_REASON: usize = 400;

/// The principal of requests that the contract itself makes.
const CONTRACT: &str = "contract";

/// What the start of a job is, in the exact bytes a person approves.
struct Start<'a> {
    job: crate::ids::JobId,
    agent: &'a str,
    base: &'a str,
    contract: Sha256Digest,
    epoch: Epoch,
    /// How many approvals there are already.
    ordinal: u64,
}

/// The request for the start of a job that was just submitted.
pub(super) fn first_start(
    facts: &Submitted,
    policy: Sha256Digest,
    now: Timestamp,
) -> Option<Vec<JobEvent>> {
    let rule = facts.approval?;
    let start = Start {
        job: facts.job,
        agent: &facts.agent,
        base: &facts.base,
        contract: facts.contract,
        epoch: Epoch::default(),
        ordinal: 0,
    };
    Some(ask(&start, policy, rule.ttl_ms, now))
}

/// The request for another start of a job.
pub(super) fn next_start(job: &Job, policy: Sha256Digest, now: Timestamp) -> Option<Vec<JobEvent>> {
    let rule = job.approval?;
    let start = Start {
        job: job.id,
        agent: &job.agent,
        base: &job.base,
        contract: job.contract,
        epoch: job.epoch,
        ordinal: job.approvals.len() as u64,
    };
    Some(ask(&start, policy, rule.ttl_ms, now))
}

fn ask(start: &Start<'_>, policy: Sha256Digest, ttl_ms: u64, now: Timestamp) -> Vec<JobEvent> {
    let action = serde_json::json!({
        "action": "run.start",
        "agent": start.agent,
        "base": start.base,
        "contract": start.contract,
        "epoch": start.epoch,
        "job": start.job,
    });
    let action = canonical::value_to_bytes(&action)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default();
    // Made from what it is about, so that deciding again gives the same id.
    let seed = Sha256Digest::of_parts(&[
        b"dogwatch.approval.v1\0",
        start.job.to_string().as_bytes(),
        &start.epoch.0.to_be_bytes(),
        &start.ordinal.to_be_bytes(),
        &now.as_micros().to_be_bytes(),
        policy.to_string().as_bytes(),
    ]);
    let mut random = [0; 10];
    random.copy_from_slice(&seed.as_bytes()[..10]);
    let id = ApprovalId::from_uuid(uuid_v7(now, &random));
    vec![
        JobEvent::ApprovalRequested(Approval {
            id,
            kind: ApprovalKind::StartRun,
            run: None,
            action,
            reason: "the contract wants a person to approve every start".to_owned(),
            contract: start.contract,
            policy,
            epoch: start.epoch,
            requested_by: CONTRACT.to_owned(),
            requested_token: None,
            requested_at: now,
            ttl_ms,
            state: ApprovalState::Pending,
            decision: None,
            superseded: None,
        }),
        JobEvent::AwaitingApproval { approval: id },
    ]
}

/// A running agent asks.
pub(super) fn request(
    job: &Job,
    command: &RequestApproval,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    if let Some(known) = job.approval(command.approval) {
        // The same request again; another one under its id is refused.
        return if known.run == Some(command.run) && known.action == command.action {
            Ok(Vec::new())
        } else {
            Err(Refusal::ApprovalNotPending {
                approval: known.id,
                state: known.state,
            })
        };
    }
    fence(job, command.lease, command.epoch)?;
    match &job.state {
        JobState::Running { run } if *run == command.run => {}
        _ => return Err(Refusal::WrongRun),
    }
    if command.action.len() > MAX_ACTION_BYTES {
        return Err(Refusal::TooLong {
            what: "the action",
            bytes: command.action.len(),
            max: MAX_ACTION_BYTES,
        });
    }
    Ok(vec![JobEvent::ApprovalRequested(Approval {
        id: command.approval,
        kind: ApprovalKind::AgentAction,
        run: Some(command.run),
        action: command.action.clone(),
        reason: clip(&command.reason, MAX_REASON),
        contract: job.contract,
        policy: command.policy,
        epoch: command.epoch,
        requested_by: command.actor.principal.clone(),
        requested_token: command.actor.token_id,
        requested_at: now,
        ttl_ms: command.ttl_ms,
        state: ApprovalState::Pending,
        decision: None,
        superseded: None,
    })])
}

/// A person decides.
pub(super) fn decide(
    job: &Job,
    command: &DecideApproval,
    now: Timestamp,
) -> Result<Vec<JobEvent>, Refusal> {
    let approval = pending(job, command.approval)?;
    if asked(approval, &command.actor) {
        return Err(Refusal::ApprovalSelf(approval.id));
    }
    let decision = ApprovalDecision {
        by: command.actor.principal.clone(),
        token: command.actor.token_id,
        note: command.note.as_ref().map(|note| clip(note, MAX_REASON)),
        at: now,
    };
    let id = approval.id;
    Ok(match command.verdict {
        Verdict::Approve => {
            let mut events = vec![JobEvent::ApprovalApproved {
                approval: id,
                decision,
            }];
            match approval.kind {
                ApprovalKind::StartRun => events.push(queued_again(job, "approved")),
                ApprovalKind::AgentAction => events.extend(wake(job, id)),
            }
            events
        }
        Verdict::Reject => {
            let by = decision.by.clone();
            let note = decision
                .note
                .as_ref()
                .map_or_else(String::new, |note| format!(": {note}"));
            let mut events = vec![JobEvent::ApprovalRejected {
                approval: id,
                decision,
            }];
            events.extend(refused(
                job,
                approval,
                "approval_rejected",
                format!("{by} rejected it{note}"),
            ));
            events
        }
    })
}

/// Nobody decided in time, which means no.
pub(super) fn expire(job: &Job, id: ApprovalId) -> Result<Vec<JobEvent>, Refusal> {
    let approval = pending(job, id)?;
    let mut events = vec![JobEvent::ApprovalExpired { approval: id }];
    events.extend(refused(
        job,
        approval,
        "approval_expired",
        format!("nobody decided within {} s", approval.ttl_ms / 1000),
    ));
    Ok(events)
}

fn pending(job: &Job, id: ApprovalId) -> Result<&Approval, Refusal> {
    let approval = job.approval(id).ok_or(Refusal::NoSuchApproval(id))?;
    if approval.state == ApprovalState::Pending {
        Ok(approval)
    } else {
        Err(Refusal::ApprovalNotPending {
            approval: id,
            state: approval.state,
        })
    }
}

/// Whether the one who decides is the one who asked.
fn asked(approval: &Approval, actor: &Actor) -> bool {
    approval.kind == ApprovalKind::AgentAction
        && (approval.requested_by == actor.principal
            || (approval.requested_token.is_some() && approval.requested_token == actor.token_id))
}

/// What a no makes of the job: a start that is refused is a denial, an agent is told.
fn refused(job: &Job, approval: &Approval, code: &str, reason: String) -> Option<JobEvent> {
    match approval.kind {
        ApprovalKind::StartRun => Some(JobEvent::Denied {
            failure: Failure::new(
                FailureClass::Policy,
                code,
                "approval",
                reason,
                "submit the job again if it is to run after all",
            ),
        }),
        ApprovalKind::AgentAction => wake(job, approval.id),
    }
}

/// A run that is parked for this approval may go on.
fn wake(job: &Job, id: ApprovalId) -> Option<JobEvent> {
    match &job.state {
        JobState::Parked {
            approval: Some(waiting),
            due: false,
            ..
        } if *waiting == id => Some(JobEvent::Due {}),
        _ => None,
    }
}

fn queued_again(job: &Job, reason: &str) -> JobEvent {
    let goes_on = match &job.state {
        JobState::AwaitingApproval { goes_on, .. } => goes_on.clone(),
        _ => None,
    };
    JobEvent::Requeued {
        reason: reason.to_owned(),
        max_attempts: job.max_attempts,
        backoff_ms: None,
        goes_on,
    }
}

/// The approval that lets this start happen, if there is one: approved, unused, and bound to exactly this contract, policy and epoch.
pub(super) fn for_start(job: &Job, policy: Sha256Digest) -> Option<&Approval> {
    job.approvals.iter().find(|approval| {
        approval.kind == ApprovalKind::StartRun
            && approval.state == ApprovalState::Approved
            && approval.contract == job.contract
            && approval.policy == policy
            && approval.epoch == job.epoch
    })
}

/// Every approval that still counts for something stops doing so, because `reason` changed what it was about.
pub(super) fn supersede(job: &Job, only_run: Option<RunId>, reason: &str) -> Vec<JobEvent> {
    job.approvals
        .iter()
        .filter(|approval| {
            matches!(
                approval.state,
                ApprovalState::Pending | ApprovalState::Approved
            ) && only_run.is_none_or(|run| approval.run == Some(run))
        })
        .map(|approval| JobEvent::ApprovalSuperseded {
            approval: approval.id,
            reason: reason.to_owned(),
        })
        .collect()
}

/// The policy that the latest approval was asked under; another one is noticed when the job is taken.
pub(super) fn last_policy(job: &Job) -> Sha256Digest {
    job.approvals
        .last()
        .map_or_else(|| Sha256Digest::of(b""), |approval| approval.policy)
}
