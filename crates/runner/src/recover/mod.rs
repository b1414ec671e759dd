//! After a crash: what a dead runner on this machine left behind is ended, kept, sealed and reported, before anything new starts.

mod closed;
pub(crate) mod journal;
mod lease;
mod orphan;
mod shims;
mod work;

use std::collections::BTreeSet;

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{JobStatus, Lease, RunOutcome};
use dogwatch_supervisor::ProcessIdentity;
use dogwatch_workspace::Trash;

use crate::error::RunnerError;
use crate::files::blocking;
use crate::runner::RunnerParts;

pub(crate) use work::work_directories;

/// One lease that was recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The job.
    pub job: JobId,
    /// Its run, if one had been started.
    pub run: Option<RunId>,
    /// How the run ended; none where it goes on, because it was about to be parked.
    pub outcome: Option<RunOutcome>,
    /// Where the job stands now.
    pub status: JobStatus,
}

/// What recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The leases.
    pub recovered: Vec<Recovered>,
    /// The workspaces of closed runs that were still there.
    pub cleaned: u32,
}

/// Ends what dead holders left behind. `leases` are the active ones; those whose holder lives are left alone, and so are parked runs.
///
/// Runs of this machine that the control plane has closed meanwhile are collected: left-over processes are ended, what an agent left is
/// kept, the bundle is sealed, and the work directory goes.
pub async fn recover(
    parts: &RunnerParts,
    leases: Vec<(JobId, Lease)>,
) -> Result<Recovery, RunnerError> {
    let mut recovery = Recovery::default();
    for (job, lease) in leases {
        if lease.machine == parts.machine && !holder_lives(&lease)? {
            let job = parts.plane.job(job).await?.job;
            recovery
                .recovered
                .push(lease::recover(parts, &job, &lease).await?);
        }
    }
    recovery.cleaned = closed::collect_all(parts).await?;
    let data = parts.layout.root().to_owned();
    if let Err(error) = blocking(move || Trash::of(&data).sweep()).await {
        // What cannot be deleted now is in nobody's way; the next start tries again.
        tracing::warn!(%error, "the trash was not emptied");
    }
    Ok(recovery)
}

/// Puts in order at once what this process itself had to abandon, where it may speak for the dead. Otherwise the lease expires first.
pub(crate) async fn abandoned(parts: &RunnerParts, job: JobId) {
    let Some(plane) = parts.recoverer.clone() else {
        return;
    };
    let parts = RunnerParts {
        plane,
        ..parts.clone()
    };
    let recovered = async {
        let job = parts.plane.job(job).await?.job;
        match job.active_lease().cloned() {
            Some(lease) => lease::recover(&parts, &job, &lease).await.map(Some),
            None => Ok(None),
        }
    };
    if let Err(error) = recovered.await {
        tracing::error!(%job, error = error.chain(), "the run is left to the reaper");
    }
}

/// Collects those of the runs that the control plane has closed. The others, if nobody knows what becomes of them yet, are returned.
pub(crate) async fn collect(parts: &RunnerParts, runs: BTreeSet<RunId>) -> BTreeSet<RunId> {
    let mut rest = BTreeSet::new();
    for run in runs {
        match closed::collect_one(parts, run).await {
            Ok(closed::Found::Done) => {}
            Ok(closed::Found::Open) => {
                rest.insert(run);
            }
            Err(error) => {
                tracing::warn!(%run, error = error.chain(), "a run's leftovers were not put in order");
                rest.insert(run);
            }
        }
    }
    rest
}

/// Whether a lease's holder lives. Without a holder it belongs to another machine's process, which only the reaper may judge.
fn holder_lives(lease: &Lease) -> Result<bool, RunnerError> {
    let Some(holder) = &lease.holder else {
        return Ok(true);
    };
    let identity = ProcessIdentity {
        boot_id: holder.boot_id.clone(),
        pid: holder.pid,
        start_time: holder.start_time,
    };
    identity
        .is_alive()
        .map_err(std::io::Error::other)
        .map_err(RunnerError::file("look for the holder in", "/proc"))
}
