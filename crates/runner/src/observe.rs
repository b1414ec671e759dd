//! What someone in the same process who follows runs gets to see.

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::run::Phase;
use dogwatch_supervisor::Progress;

use crate::ended::Ended;

/// What is going on right now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The turn, from 1.
    pub turn: u32,
    /// Where the run is.
    pub checkpoint: String,
    /// The last line that was printed, made harmless.
    pub last_line: String,
    /// How many bytes were printed.
    pub output_bytes: u64,
}

impl Activity {
    pub(crate) fn of(turn: u32, checkpoint: &str, progress: &Progress) -> Self {
        let output = progress.output.as_ref();
        Self {
            turn,
            checkpoint: checkpoint.to_owned(),
            last_line: output.map_or_else(String::new, |output| output.last_line.clone()),
            output_bytes: output.map_or(0, |output| output.stdout + output.stderr),
        }
    }
}

/// Someone who follows the runs of a runner. Calls must be quick; they are on the runs' own path.
pub trait Observer: Send + Sync {
    /// A job was taken.
    fn claimed(&self, _job: JobId) {}
    /// A line of a run's journal, exactly as it stands in the file.
    fn line(&self, _run: RunId, _line: &[u8]) {}
    /// A run entered a phase.
    fn phase(&self, _run: RunId, _phase: Phase, _checkpoint: &str) {}
    /// Something is going on.
    fn activity(&self, _run: RunId, _activity: &Activity) {}
    /// What was taken is over, for this runner.
    fn ended(&self, _ended: &Ended) {}
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
