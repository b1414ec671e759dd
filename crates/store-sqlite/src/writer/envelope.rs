//! What an event is put into: who, when, because of what, for which run, under which epoch.

use dogwatch_core::event::{ENVELOPE_VERSION, Envelope, Epoch, SealedEvent, StreamId};
use dogwatch_core::ids::{EventId, ProjectId, RunId};
use dogwatch_core::job::{JobEvent, JobState, JobStream};
use dogwatch_core::{Sha256Digest, Timestamp};
use dogwatch_store::EventContext;
use serde_json::Value;

use super::update::Mint;
use crate::fault::Fault;

/// What the events of one update have in common.
pub(super) struct Letterhead<'a> {
    pub(super) mint: &'a Mint,
    pub(super) context: &'a EventContext,
    pub(super) stream: StreamId,
    pub(super) project: Option<ProjectId>,
    pub(super) now: Timestamp,
    /// The first event of the update: what led to the others, unless the caller says what led to them all.
    pub(super) first: Option<EventId>,
}

/// One event on its way into a letter.
pub(super) struct Content {
    pub(super) kind: String,
    pub(super) data: Value,
    pub(super) about: About,
}

/// The run that an event is about, and the epoch of the lease it was written under.
pub(super) type About = (Option<RunId>, Option<Epoch>);

impl Letterhead<'_> {
    /// Seals the event that follows event `version`, from which `prev` is the link.
    pub(super) fn seal(
        &mut self,
        version: u64,
        prev: Sha256Digest,
        content: Content,
    ) -> Result<SealedEvent, Fault> {
        let id = self.mint.event(self.now);
        let cause = self.context.cause.or(self.first);
        self.first.get_or_insert(id);
        let (run, epoch) = content.about;
        Envelope {
            v: ENVELOPE_VERSION,
            id,
            stream: self.stream,
            seq: version + 1,
            kind: content.kind,
            at: self.now,
            actor: self.context.actor.clone(),
            cause,
            trace: self.context.trace.clone(),
            project: self.project,
            job: match self.stream {
                StreamId::Job(job) => Some(job),
                StreamId::Run(_) | StreamId::Server => None,
            },
            run,
            epoch,
            data: content.data,
            prev,
        }
        .seal()
        .map_err(|error| Fault::Store(error.into()))
    }
}

/// What an event of a job is about, given the state before it.
pub(super) fn about(event: &JobEvent, stream: &JobStream) -> About {
    let job = stream.job.as_ref();
    let under_its_lease = |run: RunId| {
        let header = job.and_then(|job| job.run(run));
        (Some(run), header.map(|header| header.epoch))
    };
    match event {
        JobEvent::LeaseGranted { lease } => (None, Some(lease.epoch)),
        JobEvent::LeaseReleased { epoch, .. }
        | JobEvent::LeaseExpired { epoch, .. }
        | JobEvent::LeaseRevoked { epoch, .. } => (None, Some(*epoch)),
        JobEvent::RunCreated { run } => (Some(run.id), Some(run.epoch)),
        JobEvent::RunResumed { run, epoch, .. } => (Some(*run), Some(*epoch)),
        JobEvent::RunClosed { run, .. }
        | JobEvent::Message { run, .. }
        | JobEvent::Parked { run, .. } => under_its_lease(*run),
        // Nobody holds a lease on a closed run.
        JobEvent::RunCleanedUp { run, .. }
        | JobEvent::RunJudged { run, .. }
        | JobEvent::RunLanded { run, .. } => (Some(*run), None),
        JobEvent::ApprovalRequested(approval) => (
            approval.run,
            approval.run.is_some().then_some(approval.epoch),
        ),
        // Decided by a person or by time, whoever holds the job.
        JobEvent::ApprovalApproved { approval, .. }
        | JobEvent::ApprovalRejected { approval, .. }
        | JobEvent::ApprovalExpired { approval }
        | JobEvent::ApprovalSuperseded { approval, .. }
        | JobEvent::ApprovalUsed { approval } => {
            let asked = job.and_then(|job| job.approval(*approval));
            (asked.and_then(|approval| approval.run), None)
        }
        JobEvent::Due {} => match job.map(|job| &job.state) {
            Some(JobState::Parked { run, .. }) => (Some(*run), None),
            _ => (None, None),
        },
        JobEvent::PolicyDecided(_)
        | JobEvent::Submitted(_)
        | JobEvent::Denied { .. }
        | JobEvent::Requeued { .. }
        | JobEvent::AwaitingApproval { .. }
        | JobEvent::Expired {}
        | JobEvent::CancelRequested { .. }
        | JobEvent::Cancelled { .. }
        | JobEvent::Succeeded {}
        | JobEvent::Failed { .. }
        | JobEvent::TimedOut { .. }
        | JobEvent::Blocked { .. } => (None, None),
    }
}
