//! Who is shown what happens.

use dogwatch_core::job::Job;
use dogwatch_core::run::RunState;

/// Shows a job as it goes on.
pub(crate) trait View {
    /// A line was added to the journal of a run, which now says `state`.
    fn line(&mut self, line: &[u8], state: &RunState);

    /// The job stands somewhere else, or still where it stood.
    fn job(&mut self, job: &Job);

    /// What the agent printed last.
    fn printed(&mut self, text: &str);
}
