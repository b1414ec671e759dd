//! What someone who follows a run gets to see.

use dogwatch_core::run::Phase;
use dogwatch_supervisor::Progress;

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

/// Someone who follows a run. Calls must be quick; they are on the run's own path.
pub trait Observer: Send + Sync {
    /// A line of the journal, exactly as it stands in the file.
    fn line(&self, line: &[u8]);
    /// The run entered a phase.
    fn phase(&self, phase: Phase, checkpoint: &str);
    /// Something is going on.
    fn activity(&self, activity: &Activity);
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn line(&self, _line: &[u8]) {}
    fn phase(&self, _phase: Phase, _checkpoint: &str) {}
    fn activity(&self, _activity: &Activity) {}
}
