//! Hints: that something was committed. Sent after the commit, lossy, and never more than a reason to look.

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::JobState;
use dogwatch_store::Updated;
use tokio::sync::broadcast;

/// How many hints a receiver may be behind before it loses some.
const CAPACITY: usize = 1_024;

/// What may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// There may be work to claim.
    JobAvailable,
    /// Something happened to the job.
    Job(JobId),
    /// The job was called off while a runner has it.
    Cancel(JobId),
    /// Lines of the run's journal arrived.
    RunLines(RunId),
    /// Output of the run arrived.
    Output(RunId),
    /// The control log grew.
    Log,
    /// A token was made or taken back.
    Tokens,
}

/// Where hints come from.
#[derive(Debug)]
pub(crate) struct Hints(broadcast::Sender<Hint>);

impl Hints {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.0.subscribe()
    }

    /// Tells whoever listens. Nobody may be listening.
    pub(crate) fn send(&self, hint: Hint) {
        let _nobody_listens = self.0.send(hint);
    }

    /// What the commit of a job stream may be of interest for.
    pub(crate) fn committed(&self, updated: &Updated) {
        let (Some(job), false) = (&updated.stream.job, updated.events.is_empty()) else {
            return;
        };
        self.send(Hint::Log);
        self.send(Hint::Job(job.id));
        let claimable = matches!(
            job.state,
            JobState::Queued {
                backoff_ms: None,
                ..
            } | JobState::Parked { due: true, .. }
        );
        if claimable {
            self.send(Hint::JobAvailable);
        }
        if job.cancel.is_some() {
            self.send(Hint::Cancel(job.id));
        }
    }
}
