//! The work directories of runs that are over.

use std::fs;
use std::path::Path;

use dogwatch_api::CleanUpRun;
use dogwatch_bundle::BundleLayout;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::Cleanup;
use dogwatch_core::run::RunState;
use serde_json::Value;

use crate::error::RunnerError;
use crate::runner::RunnerParts;
use crate::work_directory;

/// The runs that have a work directory here.
pub(crate) fn work_directories(parts: &RunnerParts) -> Result<Vec<RunId>, RunnerError> {
    let work = parts.layout.root().join("work");
    let entries = match fs::read_dir(&work) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(RunnerError::file("list", &work)(error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(RunnerError::file("list", &work))?;
        let name = entry.file_name();
        runs.extend(name.to_str().and_then(|name| name.parse::<RunId>().ok()));
    }
    Ok(runs)
}

/// Whether what the agent left is in the vault, so that its workspace is not needed for it.
pub(super) fn is_kept(state: &RunState) -> bool {
    let turns = state.turn_count();
    turns == 0
        || state
            .snapshot
            .as_ref()
            .is_some_and(|snapshot| snapshot.turn == turns)
}

/// Whether the run's contract asks for its workspace to be kept. What cannot be read is kept.
pub(super) fn wants_workspace(bundle: &Path) -> bool {
    fs::read(BundleLayout::new(bundle).contract())
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .and_then(|contract| contract.get("keep_workspace")?.as_bool())
        .unwrap_or(true)
}

/// Puts on record that a workspace stays.
pub(super) async fn keep_work(
    parts: &RunnerParts,
    job: JobId,
    run: RunId,
) -> Result<(), RunnerError> {
    record(parts, job, run, work_directory::KEPT).await
}

/// Removes a work directory and puts on record how that went.
pub(super) async fn remove_work(
    parts: &RunnerParts,
    job: JobId,
    run: RunId,
) -> Result<(), RunnerError> {
    let cleanup = work_directory::remove(&parts.layout, run).await;
    record(parts, job, run, cleanup).await
}

async fn record(
    parts: &RunnerParts,
    job: JobId,
    run: RunId,
    cleanup: Cleanup,
) -> Result<(), RunnerError> {
    parts
        .plane
        .clean_up(CleanUpRun { job, run, cleanup })
        .await?;
    Ok(())
}
