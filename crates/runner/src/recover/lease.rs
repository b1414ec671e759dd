//! One lease whose holder is dead: its run is ended, and its job reported.

use dogwatch_api::{
    CompleteRun, ControlPlane, HeldLease, ParkRun, Problem, ReleaseJob, RevokeLease,
};
use dogwatch_bundle::SealError;
use dogwatch_core::contract::StoredContract;
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::RunId;
use dogwatch_core::job::{Assurance, Job, JobStatus, Lease, RunClosure, RunOutcome};
use dogwatch_core::run::{RunEnded, RunParked};
use dogwatch_core::{Sha256Digest, Timestamp};

use super::Recovered;
use super::orphan::{Mourner, Orphan};
use super::shims::end_shims;
use super::work::{keep_work, remove_work, wants_workspace};
use crate::crash_point::crash_point;
use crate::error::RunnerError;
use crate::runner::RunnerParts;

/// Ends what the dead holder of a lease left, and says where its job stands now.
pub(super) async fn recover(
    parts: &RunnerParts,
    job: &Job,
    lease: &Lease,
) -> Result<Recovered, RunnerError> {
    let held = HeldLease {
        job: job.id,
        lease: lease.id,
        epoch: lease.epoch,
    };
    let Some(header) = job.open_run().cloned() else {
        let job = parts
            .plane
            .release(ReleaseJob {
                held,
                reason: "holder_dead".to_owned(),
            })
            .await?;
        return Ok(Recovered {
            job: job.id,
            run: None,
            outcome: None,
            status: job.state.status(),
        });
    };
    let run = header.id;
    end_shims(&parts.layout.shims(run)).await?;
    let stored = parts.plane.contract(job.contract).await?;
    let contract = StoredContract::parse(&stored, job.contract)
        .map_err(|error| RunnerError::Profile(error.to_string()))?;
    let mourner = Mourner::Successor;
    let mut orphan = Orphan::open(parts, job, header, held, contract, stored, mourner).await?;
    crash_point!("recover.journal_restored");
    if let Some(parked) = orphan.parked.take() {
        // It had put on record that it waits, and died before it could say so.
        return park(parts, held, run, parked).await;
    }
    let ended = orphan.end().await?;
    orphan.recorder.close();
    crash_point!("recover.before_seal");
    let sealed = match orphan.seal().await {
        Ok(manifest) => Ok(manifest),
        Err(RunnerError::Seal(error)) if is_beyond_repair(&error) => Err(error),
        Err(error) => return Err(error),
    };
    crash_point!("recover.after_seal");
    let closure = closure(ended, sealed, parts.clock.now());
    let status = report(&*parts.plane, held, run, closure.clone()).await?;
    crash_point!("recover.before_clean_up");
    // The workspace is removed only once its last snapshot is in the vault; otherwise it stays for a person to look at.
    let workspace = parts.layout.workspace(run);
    let wanted = workspace.exists() && wants_workspace(orphan.bundle.root());
    if orphan.kept && !wanted {
        remove_work(parts, job.id, run).await?;
    } else {
        keep_work(parts, job.id, run).await?;
    }
    Ok(Recovered {
        job: job.id,
        run: Some(run),
        outcome: Some(closure.outcome),
        status,
    })
}

/// Sets a run aside that had come that far.
async fn park(
    parts: &RunnerParts,
    held: HeldLease,
    run: RunId,
    parked: RunParked,
) -> Result<Recovered, RunnerError> {
    let job = parts
        .plane
        .park(ParkRun {
            held,
            run,
            reason: parked.reason,
            until: parked.until,
            approval: parked.approval,
        })
        .await?;
    Ok(Recovered {
        job: job.id,
        run: Some(run),
        outcome: None,
        status: job.state.status(),
    })
}

/// Whether a bundle can never be sealed again, because what stands in it is not what belongs there.
pub(super) const fn is_beyond_repair(error: &SealError) -> bool {
    matches!(
        error,
        SealError::Foreign { .. }
            | SealError::Missing(_)
            | SealError::WrongContent(_)
            | SealError::Journal(_)
            | SealError::TooLarge { .. }
            | SealError::OtherRun { .. }
            | SealError::Invalid(_)
    )
}

/// How a run is closed. Where its evidence cannot be sealed any more, nothing is believed of it, and nothing else waits for it.
fn closure(ended: RunEnded, sealed: Result<Sha256Digest, SealError>, at: Timestamp) -> RunClosure {
    match sealed {
        Ok(manifest) => RunClosure {
            outcome: ended.outcome,
            failure: ended.failure,
            tree: ended.tree,
            assurance: ended.assurance,
            manifest: Some(manifest),
            turns: ended.turns,
            at,
        },
        Err(error) => RunClosure {
            outcome: RunOutcome::Orphaned,
            failure: Some(Failure::new(
                FailureClass::Infrastructure,
                "evidence_lost",
                "recovery",
                format!("its evidence cannot be sealed: {error}"),
                "look at the bundle and at who else writes to the data directory",
            )),
            tree: ended.tree,
            assurance: Assurance::None,
            manifest: None,
            turns: ended.turns,
            at,
        },
    }
}

/// A run whose outcome stood in the journal is completed; any other is orphaned by taking its lease away.
async fn report(
    plane: &dyn ControlPlane,
    held: HeldLease,
    run: RunId,
    closure: RunClosure,
) -> Result<JobStatus, Problem> {
    if closure.outcome == RunOutcome::Orphaned {
        let revoked = plane
            .revoke(RevokeLease {
                job: held.job,
                lease: held.lease,
                closure,
                reason: "holder_dead".to_owned(),
            })
            .await?;
        Ok(revoked.status)
    } else {
        let job = plane.complete(CompleteRun { held, run, closure }).await?;
        Ok(job.state.status())
    }
}
