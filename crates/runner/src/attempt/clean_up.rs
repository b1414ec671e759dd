//! Clearing a run's workspace away. Whatever happens here, the outcome stands.

use dogwatch_api::CleanUpRun;
use dogwatch_core::job::CleanupState;

use super::Attempt;
use crate::patience::Patience;
use crate::work_directory;

impl Attempt<'_> {
    /// Removes the workspace, unless someone wants it kept, and puts on record which.
    pub(super) async fn clean_up(&mut self, keep: bool) -> CleanupState {
        let cleanup = if keep {
            work_directory::KEPT
        } else {
            work_directory::remove(&self.parts.layout, self.run).await
        };
        let state = cleanup.state;
        let request = CleanUpRun {
            job: self.held.job,
            run: self.run,
            cleanup,
        };
        let plane = &self.parts.plane;
        let recorded = Patience::for_last_words()
            .ask(|| plane.clean_up(request.clone()))
            .await;
        if let Err(error) = recorded {
            // The next recovery finds a closed run without a record of its clean-up, and makes one.
            tracing::warn!(error = error.chain(), "the clean-up is not on record");
        }
        state
    }
}
