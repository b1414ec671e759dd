//! What an event is put into: who, when, because of what, for which run, under which epoch.

use dogwatch_core::Timestamp;
use dogwatch_core::event::{ENVELOPE_VERSION, Envelope, Epoch, SealedEvent, StreamId};
use dogwatch_core::ids::{EventId, JobId, ProjectId, RunId};
use dogwatch_core::job::{JobEvent, JobStream};
use dogwatch_store::EventContext;

use super::update::Mint;
use crate::fault::Fault;
use crate::load::Loaded;

/// What the events of one update have in common.
pub(super) struct Letterhead<'a> {
    pub(super) mint: &'a Mint,
    pub(super) context: &'a EventContext,
    pub(super) job: JobId,
    pub(super) project: ProjectId,
    pub(super) now: Timestamp,
    /// The first event of the update: what led to the others, unless the caller says what led to them all.
    pub(super) first: Option<EventId>,
}

impl Letterhead<'_> {
    /// Seals the event that follows `end`.
    pub(super) fn seal(&mut self, end: &Loaded, event: JobEvent) -> Result<SealedEvent, Fault> {
        let (run, epoch) = about(&event, &end.stream);
        let (kind, data) = event.into_parts();
        let id = self.mint.event(self.now);
        let cause = self.context.cause.or(self.first);
        self.first.get_or_insert(id);
        Envelope {
            v: ENVELOPE_VERSION,
            id,
            stream: StreamId::Job(self.job),
            seq: end.version + 1,
            kind,
            at: self.now,
            actor: self.context.actor.clone(),
            cause,
            trace: self.context.trace.clone(),
            project: self.project,
            job: Some(self.job),
            run,
            epoch,
            data,
            prev: end.head,
        }
        .seal()
        .map_err(|error| Fault::Store(error.into()))
    }
}

/// The run that an event is about, and the epoch of the lease it was written under.
fn about(event: &JobEvent, stream: &JobStream) -> (Option<RunId>, Option<Epoch>) {
    match event {
        JobEvent::LeaseGranted { lease } => (None, Some(lease.epoch)),
        JobEvent::LeaseReleased { epoch, .. }
        | JobEvent::LeaseExpired { epoch, .. }
        | JobEvent::LeaseRevoked { epoch, .. } => (None, Some(*epoch)),
        JobEvent::RunCreated { run } => (Some(run.id), Some(run.epoch)),
        JobEvent::RunClosed { run, .. } => {
            let header = stream.job.as_ref().and_then(|job| job.run(*run));
            (Some(*run), header.map(|header| header.epoch))
        }
        // Nobody holds a lease on a closed run.
        JobEvent::RunCleanedUp { run, .. } => (Some(*run), None),
        JobEvent::PolicyDecided(_)
        | JobEvent::Submitted(_)
        | JobEvent::Denied { .. }
        | JobEvent::Requeued { .. }
        | JobEvent::CancelRequested { .. }
        | JobEvent::Cancelled { .. }
        | JobEvent::Succeeded {}
        | JobEvent::Failed { .. }
        | JobEvent::TimedOut { .. }
        | JobEvent::Blocked { .. } => (None, None),
    }
}
