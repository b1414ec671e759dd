//! The work directories of runs that are over.

use std::fs;
use std::path::Path;

use dogwatch_api::{CleanUpRun, ListRuns, RunDetail};
use dogwatch_bundle::BundleLayout;
use dogwatch_config::EffectiveProfile;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{Cleanup, CleanupState};
use dogwatch_core::run::RunState;

use crate::error::RunnerError;
use crate::runner::RunnerParts;
use crate::work_directory;

/// Finishes the clean-up of runs that are over: those that still have a work directory, and the newest ones, as a crash may have come
/// after the removal and before its record.
pub(super) async fn clean_closed(parts: &RunnerParts) -> Result<u32, RunnerError> {
    let mut cleaned = 0;
    for run in work_directories(parts)? {
        if let Ok(detail) = parts.plane.run(run).await {
            cleaned += u32::from(finish_clean_up(parts, &detail).await?);
        }
    }
    for detail in parts.plane.list_runs(ListRuns::default()).await?.items {
        cleaned += u32::from(finish_clean_up(parts, &detail).await?);
    }
    Ok(cleaned)
}

fn work_directories(parts: &RunnerParts) -> Result<Vec<RunId>, RunnerError> {
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

/// Whether a workspace was removed.
async fn finish_clean_up(parts: &RunnerParts, detail: &RunDetail) -> Result<bool, RunnerError> {
    let (run, header) = (detail.id, &detail.header);
    let due = header.closed.is_some()
        && header.machine == parts.machine
        && header.cleanup.state == CleanupState::Pending;
    if !due {
        return Ok(false);
    }
    let wanted = !is_kept(&detail.state) || wants_workspace(&parts.layout.bundle(run));
    if wanted && parts.layout.workspace(run).exists() {
        keep_work(parts, detail.job, run).await?;
        Ok(false)
    } else {
        remove_work(parts, detail.job, run).await?;
        Ok(true)
    }
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

/// Whether the run's own configuration asks for its workspace to be kept. What cannot be read is kept.
pub(super) fn wants_workspace(bundle: &Path) -> bool {
    fs::read(BundleLayout::new(bundle).profile())
        .ok()
        .and_then(|bytes| serde_json::from_slice::<EffectiveProfile>(&bytes).ok())
        .is_none_or(|profile| profile.run.keep_workspace)
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
