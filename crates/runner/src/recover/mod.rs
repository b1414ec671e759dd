//! After a crash: what a dead runner on this machine left behind is ended, kept, sealed and reported, before anything new starts.

mod journal;
mod lease;
mod orphan;
mod shims;
mod work;

use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{JobStatus, Lease, RunOutcome};
use dogwatch_supervisor::ProcessIdentity;
use dogwatch_workspace::Trash;

use crate::error::RunnerError;
use crate::files::blocking;
use crate::runner::RunnerParts;

/// One lease that was recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The job.
    pub job: JobId,
    /// Its run, if one had been started.
    pub run: Option<RunId>,
    /// How the run ended.
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

/// Ends what dead holders left behind. `leases` are the active ones; those whose holder lives are left alone.
pub async fn recover(
    parts: &RunnerParts,
    leases: Vec<(JobId, Lease)>,
) -> Result<Recovery, RunnerError> {
    let mut recovery = Recovery::default();
    for (job, lease) in leases {
        if lease.machine == parts.machine && !holder_lives(&lease)? {
            let job = parts.plane.job(job).await?;
            recovery
                .recovered
                .push(lease::recover(parts, &job, &lease).await?);
        }
    }
    recovery.cleaned = work::clean_closed(parts).await?;
    let data = parts.layout.root().to_owned();
    if let Err(error) = blocking(move || Trash::of(&data).sweep()).await {
        // What cannot be deleted now is in nobody's way; the next start tries again.
        tracing::warn!(%error, "the trash was not emptied");
    }
    Ok(recovery)
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
