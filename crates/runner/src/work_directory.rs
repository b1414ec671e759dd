//! Everything of a run that is not evidence, on its way out.

use dogwatch_core::ids::RunId;
use dogwatch_core::job::{Cleanup, CleanupState};
use dogwatch_workspace::Trash;

use crate::files::blocking;
use crate::layout::DataLayout;

/// A work directory that stays because someone wants it.
pub(crate) const KEPT: Cleanup = Cleanup {
    state: CleanupState::Kept,
    ..Cleanup::PENDING
};

/// Removes a run's work directory. That it did not work is an answer, not an error: the outcome of the run stands.
pub(crate) async fn remove(layout: &DataLayout, run: RunId) -> Cleanup {
    let (data, work) = (layout.root().to_owned(), layout.work(run));
    match blocking(move || Trash::of(&data).remove(&work)).await {
        Ok(()) => Cleanup {
            state: CleanupState::Removed,
            ..Cleanup::PENDING
        },
        Err(error) => Cleanup {
            state: CleanupState::Failed,
            removal_error: Some(dogwatch_core::failure::clip(&error.to_string(), 600)),
            ..Cleanup::PENDING
        },
    }
}
