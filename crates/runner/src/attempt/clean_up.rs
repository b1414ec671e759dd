//! Clearing a run's workspace away. Whatever happens here, the outcome stands.

use dogwatch_api::CleanUpRun;
use dogwatch_core::job::CleanupState;

use super::Attempt;
use crate::error::RunnerError;
use crate::work_directory;

impl Attempt<'_> {
    /// Removes the workspace, unless someone wants it kept, and puts on record which.
    pub(super) async fn clean_up(&mut self, keep: bool) -> Result<CleanupState, RunnerError> {
        let cleanup = if keep {
            work_directory::KEPT
        } else {
            work_directory::remove(&self.parts.layout, self.run).await
        };
        let state = cleanup.state;
        self.parts
            .plane
            .clean_up(CleanUpRun {
                job: self.held.job,
                run: self.run,
                cleanup,
            })
            .await?;
        Ok(state)
    }
}
