//! Runs of this machine that the control plane has closed: by their runner, whose clean-up was cut short, or without it, because its
//! lease ran out or the job was called off while the run was parked. Nothing more can be written for such a run; it is put in order here.

use dogwatch_api::{HeldLease, ListRuns, ProblemCode, RunDetail};
use dogwatch_bundle::BundleLayout;
use dogwatch_core::contract::StoredContract;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::{CleanupState, JobState, RunClosure};

use super::lease::is_beyond_repair;
use super::orphan::{Mourner, Orphan};
use super::shims::end_shims;
use super::work::{is_kept, keep_work, remove_work, wants_workspace, work_directories};
use crate::crash_point::crash_point;
use crate::error::RunnerError;
use crate::runner::RunnerParts;

/// What was found of a run.
pub(super) enum Found {
    /// There is nothing more to do for it here.
    Done,
    /// It is open, and somebody may still be at work on it.
    Open,
}

/// Collects the runs that are closed: those that still have a work directory, and the newest ones, as a crash may have come after the
/// removal and before its record. Returns how many workspaces were removed.
pub(super) async fn collect_all(parts: &RunnerParts) -> Result<u32, RunnerError> {
    let mut cleaned = 0;
    for run in work_directories(parts)? {
        if let Ok(detail) = parts.plane.run(run).await {
            cleaned += u32::from(collect(parts, &detail).await?);
        }
    }
    for detail in parts.plane.list_runs(ListRuns::default()).await?.items {
        cleaned += u32::from(collect(parts, &detail).await?);
    }
    Ok(cleaned)
}

/// Collects a run if it is closed.
pub(super) async fn collect_one(parts: &RunnerParts, run: RunId) -> Result<Found, RunnerError> {
    let detail = match parts.plane.run(run).await {
        Ok(detail) => detail,
        // Another control plane's, as far as anyone can tell.
        Err(problem) if problem.kind == ProblemCode::NotFound => return Ok(Found::Done),
        Err(problem) => return Err(problem.into()),
    };
    if detail.header.closed.is_none() && detail.header.machine == parts.machine {
        let job = parts.plane.job(detail.job).await?.job;
        return Ok(match job.state {
            JobState::Parked { .. } => Found::Done,
            _ => Found::Open,
        });
    }
    collect(parts, &detail).await?;
    Ok(Found::Done)
}

/// Whether a workspace was removed.
async fn collect(parts: &RunnerParts, detail: &RunDetail) -> Result<bool, RunnerError> {
    let (run, header) = (detail.id, &detail.header);
    let Some(closure) = header.closed.clone() else {
        return Ok(false);
    };
    if header.machine != parts.machine || header.cleanup.state != CleanupState::Pending {
        return Ok(false);
    }
    let bundle = BundleLayout::new(parts.layout.bundle(run));
    let mut kept = is_kept(&detail.state);
    // What was never in this data directory, or was taken out of it, is nobody's to seal.
    let here = bundle.root().exists() || parts.layout.work(run).exists();
    if here && !bundle.attestation().exists() {
        kept = put_in_order(parts, detail, closure).await?;
        crash_point!("collect.sealed");
    }
    let wanted = !kept || wants_workspace(bundle.root());
    if wanted && parts.layout.workspace(run).exists() {
        keep_work(parts, detail.job, run).await?;
        Ok(false)
    } else {
        remove_work(parts, detail.job, run).await?;
        Ok(true)
    }
}

/// Ends what still runs, keeps what the agent left, and seals what the control plane knows. Whether the workspace may go then.
async fn put_in_order(
    parts: &RunnerParts,
    detail: &RunDetail,
    closure: RunClosure,
) -> Result<bool, RunnerError> {
    let (run, header) = (detail.id, detail.header.clone());
    end_shims(&parts.layout.shims(run)).await?;
    let job = parts.plane.job(detail.job).await?.job;
    let stored = parts.plane.contract(job.contract).await?;
    let contract = StoredContract::parse(&stored, job.contract)
        .map_err(|error| RunnerError::Profile(error.to_string()))?;
    let held = HeldLease {
        job: job.id,
        lease: header.lease,
        epoch: header.epoch,
    };
    let mourner = Mourner::Collector(closure);
    let mut orphan = Orphan::open(parts, &job, header, held, contract, stored, mourner).await?;
    orphan.end().await?;
    orphan.recorder.close();
    match orphan.seal().await {
        Ok(_) => Ok(orphan.kept),
        Err(RunnerError::Seal(error)) if is_beyond_repair(&error) => {
            tracing::error!(%run, %error, "the bundle cannot be sealed any more");
            Ok(orphan.kept)
        }
        Err(error) => Err(error),
    }
}
