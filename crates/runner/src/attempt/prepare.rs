//! From a lease to a workspace: the run's vault and its private clone.

use std::fs;
use std::path::PathBuf;

use dogwatch_agents::{AgentChoice, AgentSpec, choose};
use dogwatch_api::ClaimedJob;
use dogwatch_config::EffectiveProfile;
use dogwatch_core::ids::WorkspaceId;
use dogwatch_core::job::GoOn;
use dogwatch_core::run::{Phase, RunEvent, WorkspaceReady};
use dogwatch_core::turn::GateFeedback;
use dogwatch_workspace::fingerprint::Fingerprint;
use dogwatch_workspace::{Checkout, ObjectId, PrivateClone, Vault, fingerprint};

use super::Attempt;
use super::earlier_work::EarlierWork;
use super::start::Profile;
use crate::error::RunnerError;
use crate::files::blocking;

/// Everything a run works with once its workspace stands.
pub(super) struct Prepared {
    pub(super) checkout: Checkout,
    pub(super) vault: Vault,
    pub(super) base: ObjectId,
    pub(super) workspace: PathBuf,
    pub(super) agent: AgentChoice,
    pub(super) keep_workspace: bool,
    /// The user's `.git` before anything ran.
    pub(super) before: Fingerprint,
    /// What the next turn is about.
    pub(super) current_task: String,
    /// What the next turn has to mend.
    pub(super) feedback: Vec<GateFeedback>,
    /// What an agent is told that does not start from the task alone.
    pub(super) hint: Option<String>,
    /// The latest snapshot's commit and tree.
    pub(super) snapshot: Option<(ObjectId, ObjectId)>,
    /// The commit that the first snapshot follows.
    pub(super) origin: ObjectId,
}

impl Attempt<'_> {
    /// Makes the vault and the private clone.
    pub(super) async fn prepare(
        &mut self,
        claimed: &ClaimedJob,
        profile: Profile,
    ) -> Result<Prepared, RunnerError> {
        let found = profile?;
        let agent = self.agent(&found.profile)?;
        let earlier = match &claimed.goes_on {
            Some(goes_on) => Some(self.earlier_work(claimed, goes_on).await?),
            None => None,
        };
        let project = claimed.job.project;
        let data = self.parts.layout.root().to_owned();
        let workspace = self.parts.layout.workspace(self.run);
        let branch = self.branch();
        let (base, checkout, target) = (found.base, found.checkout, workspace.clone());
        let from = earlier.clone();
        let (checkout, vault, before) = blocking(move || {
            let vault = Vault::open_or_create(&data, project, checkout.object_format())?;
            vault.fetch_base(&checkout, base)?;
            let before = fingerprint::fingerprint(checkout.common_dir())?;
            match from {
                Some(earlier) => earlier.make_workspace(&vault, base, &target, &branch)?,
                None => {
                    if let Some(parent) = target.parent() {
                        fs::create_dir_all(parent).map_err(RunnerError::file("create", parent))?;
                    }
                    PrivateClone::create(&vault, base, &target, &branch)?;
                }
            }
            Ok::<_, RunnerError>((checkout, vault, before))
        })
        .await?;
        self.fetch_context().await?;
        self.recorder
            .record(RunEvent::WorkspaceReady(WorkspaceReady {
                workspace: WorkspaceId::mint(&*self.parts.clock, &*self.parts.entropy),
                method: "plain_checkout".to_owned(),
                base: base.to_string(),
            }))
            .await?;
        self.recorder.enter(Phase::Preflight).await?;
        self.receive_orders().await?;
        Ok(Prepared {
            checkout,
            vault,
            base,
            workspace,
            agent,
            keep_workspace: self.contract.keep_workspace,
            before,
            current_task: self.contract.task.clone(),
            feedback: Vec::new(),
            hint: claimed.goes_on.as_ref().map(continue_hint),
            snapshot: None,
            origin: earlier.map_or(base, |earlier| earlier.commit),
        })
    }

    /// The driver of the run's agent.
    pub(super) fn agent(&self, profile: &EffectiveProfile) -> Result<AgentChoice, RunnerError> {
        let spec = AgentSpec {
            driver: profile.agent.driver.to_string(),
            command: profile.agent.command.clone(),
            pass_env: profile.agent.env.clone(),
        };
        let launcher = self.parts.launcher.clone();
        Ok(choose(&self.contract.agent, &spec, launcher)?)
    }

    /// The branch an agent finds itself on.
    pub(super) fn branch(&self) -> String {
        format!("dogwatch/{}", self.run.short())
    }

    /// The last snapshot of the run that this one continues.
    async fn earlier_work(
        &self,
        claimed: &ClaimedJob,
        goes_on: &GoOn,
    ) -> Result<EarlierWork, RunnerError> {
        let run = goes_on.run;
        let missing = |reason: &str| RunnerError::SnapshotMissing {
            run,
            reason: reason.to_owned(),
        };
        let plane = &self.parts.plane;
        let detail = self.patience.ask(|| plane.run(run)).await?;
        if detail.project != claimed.job.project {
            return Err(missing("it belongs to another project"));
        }
        let snapshot = detail
            .state
            .snapshot
            .ok_or_else(|| missing("it left no snapshot"))?;
        Ok(EarlierWork {
            run,
            commit: super::object(&snapshot.commit)?,
            tree: super::object(&snapshot.tree)?,
        })
    }
}

/// What the first turn of a run that continues another is told.
fn continue_hint(goes_on: &GoOn) -> String {
    let run = goes_on.run;
    let resume = format!(
        "An earlier attempt ({run}) worked on this, and its files are in the workspace; resume from the current workspace state \u{2014} do not restart from scratch."
    );
    match &goes_on.say {
        Some(say) => format!("{say}\n\n{resume}"),
        None => resume,
    }
}
