//! The runners there are.

use std::collections::BTreeMap;

use dogwatch_api::{Caller, Problem, RunnerList, RunnerView, Scope};
use dogwatch_core::Timestamp;
use dogwatch_core::ids::{JobId, MachineId};

use crate::Engine;
use crate::problems;

impl Engine {
    /// What each runner said of itself, when this process last heard of it (the epoch, if it has not), and the jobs it has. A caller that
    /// does not see every project sees of each runner what belongs to its own.
    pub async fn list_runners(&self, caller: &Caller) -> Result<RunnerList, Problem> {
        Self::allow(caller, Scope::Read)?;
        let view = self.known.view().await?;
        let mut jobs: BTreeMap<MachineId, Vec<JobId>> = BTreeMap::new();
        let leases = self.store.active_leases().await;
        for (job, lease) in leases.map_err(problems::from_store)? {
            if caller.projects.is_none() || caller.may_see(self.load(job).await?.project) {
                jobs.entry(lease.machine).or_default().push(job);
            }
        }
        let items = view
            .runners
            .iter()
            .map(|(machine, runner)| {
                let mut runner = runner.clone();
                if let Some(projects) = &mut runner.offer.projects {
                    projects.retain(|project| caller.may_see(*project));
                }
                runner
                    .offer
                    .sessions
                    .retain(|session| caller.may_see(session.project));
                RunnerView {
                    runner,
                    seen_at: self.known.seen(*machine).unwrap_or(Timestamp::EPOCH),
                    jobs: jobs.remove(machine).unwrap_or_default(),
                }
            })
            .collect();
        Ok(RunnerList { items })
    }
}
