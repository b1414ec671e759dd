//! Clearing a run's workspace away. Whatever happens here, the outcome stands.

use dogwatch_api::CleanUpRun;
use dogwatch_core::job::{Cleanup, CleanupState};
use dogwatch_workspace::Trash;

use super::Attempt;
use crate::error::RunnerError;
use crate::files::blocking;

impl Attempt<'_> {
    /// Removes the workspace, unless someone wants it kept, and puts on record which.
    pub(super) async fn clean_up(&mut self, keep: bool) -> Result<CleanupState, RunnerError> {
        let cleanup = if keep {
            Cleanup {
                state: CleanupState::Kept,
                ..Cleanup::PENDING
            }
        } else {
            let work = self.parts.layout.work(self.run);
            let data = self.parts.layout.root().to_owned();
            let removed = blocking(move || Trash::of(&data).remove(&work)).await;
            match removed {
                Ok(()) => Cleanup {
                    state: CleanupState::Removed,
                    ..Cleanup::PENDING
                },
                Err(error) => Cleanup {
                    state: CleanupState::Failed,
                    hook_error: None,
                    removal_error: Some(dogwatch_core::failure::clip(&error.to_string(), 600)),
                },
            }
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
