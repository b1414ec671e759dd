//! What time brings: leases that end, waits that are over, deadlines.

use std::collections::BTreeMap;
use std::time::Duration;

use dogwatch_api::{Caller, Problem};
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::{JobId, LeaseId};
use dogwatch_core::job::{Assurance, ExpireLease, Job, JobCommand, RunClosure, RunOutcome, Timer};
use dogwatch_store::{JobTimer, StoreError};

use crate::Engine;
use crate::problems;
use crate::report;
use crate::watch::WatchedLease;

/// How many instants of the wall clock are dealt with in one sweep.
const WALL_TIMERS: u32 = 200;

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Leases that were taken from holders that stopped renewing them.
    pub leases_expired: u32,
    /// Jobs whose wait before another attempt is over.
    pub backoffs_over: u32,
    /// Approvals that nobody decided.
    pub approvals_expired: u32,
    /// Jobs whose deadline passed.
    pub jobs_expired: u32,
    /// Parked runs that may go on.
    pub runs_due: u32,
    /// What could not be carried out, and is tried again with the next sweep.
    pub failed: u32,
}

/// What became of one command of a sweep.
enum Swept {
    Done,
    /// Somebody was there first.
    Overtaken,
    Failed,
}

impl Engine {
    /// One sweep, at an instant of this process's own steady clock. The wall clock decides nothing but instants that people named.
    pub async fn tick(&self, now: Duration) -> Result<Ticked, Problem> {
        let mut sweep = self.sweep.lock().await;
        let mut ticked = Ticked::default();

        let (leases, jobs) = self.watched_leases().await?;
        for lease in sweep.leases.look(now, &leases) {
            if let Some((job, renewals)) = jobs.get(&lease) {
                let swept = self.expire_lease(*job, lease, *renewals).await;
                count(&mut ticked, swept, |ticked| &mut ticked.leases_expired);
            }
        }

        let steady = self.store.steady_timers().await;
        let steady = steady.map_err(problems::from_store)?;
        let wall = self.clock.now();
        for timer in sweep.timers.look(now, wall, &steady) {
            self.fire(&mut ticked, timer).await;
        }
        let due = self.store.wall_timers(wall, WALL_TIMERS).await;
        for timer in due.map_err(problems::from_store)? {
            self.fire(&mut ticked, timer).await;
        }
        Ok(ticked)
    }

    async fn watched_leases(
        &self,
    ) -> Result<(Vec<WatchedLease>, BTreeMap<LeaseId, (JobId, u64)>), Problem> {
        let active = self.store.active_leases().await;
        let mut watched = Vec::new();
        let mut jobs = BTreeMap::new();
        for (job, lease) in active.map_err(problems::from_store)? {
            let renewals = self.renewals(lease.id).await?;
            watched.push(WatchedLease {
                lease: lease.id,
                renewals,
                ttl: Duration::from_millis(lease.ttl_ms),
            });
            jobs.insert(lease.id, (job, renewals));
        }
        Ok((watched, jobs))
    }

    async fn renewals(&self, lease: LeaseId) -> Result<u64, Problem> {
        self.store
            .renewals(lease)
            .await
            .map_err(problems::from_store)
    }

    /// Takes a lease away, unless it was renewed since it was looked at.
    async fn expire_lease(&self, job: JobId, lease: LeaseId, seen: u64) -> Swept {
        let _no_lease_is_renewed_meanwhile = self.renewing.write().await;
        let prepared = async {
            if self.renewals(lease).await? != seen {
                return Ok(None);
            }
            let job = self.load(job).await?;
            let turns = match job.open_run() {
                Some(run) => self.run_view(run.id).await?.state.turns.len(),
                None => 0,
            };
            Ok(Some((job, u32::try_from(turns).unwrap_or(u32::MAX))))
        };
        let (before, turns) = match prepared.await {
            Ok(Some(prepared)) => prepared,
            Ok(None) => return Swept::Overtaken,
            Err(problem) => {
                report::failed_timer(job, &problem);
                return Swept::Failed;
            }
        };
        let command = JobCommand::ExpireLease(ExpireLease {
            lease,
            closure: self.orphaned(turns),
        });
        let swept = self.sweep_command(&before, command).await;
        if matches!(swept, Swept::Done) {
            report::expired_lease(job, before.open_run().map(|run| run.id));
        }
        swept
    }

    fn orphaned(&self, turns: u32) -> RunClosure {
        let seconds = self.limits.lease_ttl_ms / 1_000;
        RunClosure {
            outcome: RunOutcome::Orphaned,
            failure: Some(Failure::new(
                FailureClass::Lease,
                "lease_lost",
                "running",
                format!("no heartbeat of its runner came for {seconds} s"),
                "look at the machine of the runner: it was stopped, overloaded or cut off",
            )),
            tree: None,
            assurance: Assurance::None,
            manifest: None,
            turns,
            at: self.clock.now(),
        }
    }

    async fn fire(&self, ticked: &mut Ticked, timer: JobTimer) {
        let command = match timer.timer {
            Timer::Backoff { .. } | Timer::Resume { .. } => JobCommand::MakeDue {},
            Timer::Approval { approval, .. } => JobCommand::ExpireApproval { approval },
            Timer::Deadline { .. } => JobCommand::ExpireJob {},
        };
        let swept = match self.load(timer.job).await {
            Ok(job) => self.sweep_command(&job, command).await,
            Err(problem) => {
                report::failed_timer(timer.job, &problem);
                Swept::Failed
            }
        };
        count(ticked, swept, |ticked| match timer.timer {
            Timer::Backoff { .. } => &mut ticked.backoffs_over,
            Timer::Resume { .. } => &mut ticked.runs_due,
            Timer::Approval { .. } => &mut ticked.approvals_expired,
            Timer::Deadline { .. } => &mut ticked.jobs_expired,
        });
    }

    async fn sweep_command(&self, job: &Job, command: JobCommand) -> Swept {
        let system = Caller::system();
        match self.carry_out(&system, job.project, job.id, command).await {
            Ok(after) if after == *job => Swept::Overtaken,
            Ok(_) => Swept::Done,
            Err(StoreError::Refused(_)) => Swept::Overtaken,
            Err(error) => {
                report::failed_timer(job.id, &problems::from_store(error));
                Swept::Failed
            }
        }
    }
}

fn count(ticked: &mut Ticked, swept: Swept, field: impl FnOnce(&mut Ticked) -> &mut u32) {
    match swept {
        Swept::Done => *field(ticked) += 1,
        Swept::Overtaken => {}
        Swept::Failed => ticked.failed += 1,
    }
}
