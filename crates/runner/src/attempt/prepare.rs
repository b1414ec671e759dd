//! From a lease to a workspace: the run's vault and its private clone.

use dogwatch_agents::{AgentChoice, AgentSpec, choose};
use dogwatch_api::ClaimedJob;
use dogwatch_config::EffectiveProfile;
use dogwatch_core::ids::{ProjectId, WorkspaceId};
use dogwatch_core::job::GoOn;
use dogwatch_core::run::{Phase, RunEvent, Step, WorkspaceReady};
use dogwatch_core::turn::GateFeedback;
use dogwatch_workspace::fingerprint::Fingerprint;
use dogwatch_workspace::{Checkout, ObjectId, Vault, Workspace, fingerprint};

use super::Attempt;
use super::start::Profile;
use super::workshop::{CameAlong, EarlierWork, Wanted, Workshop};
use crate::disk::LowDisk;
use crate::error::RunnerError;
use crate::files::blocking;

/// Everything a run works with once its workspace stands.
pub(super) struct Prepared {
    pub(super) checkout: Checkout,
    pub(super) vault: Vault,
    pub(super) base: ObjectId,
    pub(super) workspace: Workspace,
    /// How places for the run's commands are made.
    pub(super) workshop: Workshop,
    pub(super) agent: AgentChoice,
    pub(super) keep_workspace: bool,
    /// Files that came along from the user's checkout. They are in no result.
    pub(super) included: CameAlong,
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
    /// What the run begins with here.
    pub(super) first: Step,
}

/// Where a run works, if there is room for that.
pub(super) enum Place {
    /// Its workspace stands.
    Ready(Box<Prepared>),
    /// There is less room than it wants, and nothing was made.
    NoRoom(LowDisk),
}

impl Place {
    pub(super) fn ready(prepared: Prepared) -> Self {
        Self::Ready(Box::new(prepared))
    }
}

impl Attempt<'_> {
    /// Makes the vault and the private clone.
    pub(super) async fn prepare(
        &mut self,
        claimed: &ClaimedJob,
        profile: Profile,
    ) -> Result<Place, RunnerError> {
        let found = profile?;
        if let Some(low) = self.low_disk().await? {
            return Ok(Place::NoRoom(low));
        }
        let agent = self.agent(&found.profile)?;
        let earlier = self.earlier_work(claimed).await?;
        let project = claimed.job.project;
        let (base, checkout) = (found.base, found.checkout);
        let from = earlier.clone();
        let wanted = self.wanted(project, base, &agent);
        let (checkout, workshop, workspace, included, before) = blocking(move || {
            let root = wanted.layout.root();
            let vault = Vault::open_or_create(root, project, checkout.object_format())?;
            vault.fetch_base(&checkout, base)?;
            let before = fingerprint::fingerprint(checkout.common_dir())?;
            let workshop = wanted.workshop(vault, &checkout)?;
            let workspace = workshop.make(from.as_ref())?;
            let included = workshop.include(&checkout, &workspace)?;
            Ok::<_, RunnerError>((checkout, workshop, workspace, included, before))
        })
        .await?;
        self.learn_secrets(&found.profile, workshop.confinement.as_ref())
            .await?;
        self.fetch_context(workshop.confinement.as_ref()).await?;
        self.recorder
            .record(RunEvent::WorkspaceReady(WorkspaceReady {
                workspace: WorkspaceId::mint(&*self.parts.clock, &*self.parts.entropy),
                method: method(&workspace).to_owned(),
                base: base.to_string(),
            }))
            .await?;
        self.recorder.enter(Phase::Preflight).await?;
        self.receive_orders().await?;
        Ok(Place::ready(Prepared {
            checkout,
            vault: workshop.vault.clone(),
            base,
            workspace,
            workshop,
            included,
            agent,
            keep_workspace: self.contract.keep_workspace,
            before,
            current_task: self.contract.task.clone(),
            feedback: Vec::new(),
            hint: self.goes_on.as_ref().map(continue_hint),
            snapshot: None,
            origin: earlier.map_or(base, |earlier| earlier.commit),
            first: Step::Turn { next_task: None },
        }))
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

    /// What a place for the run's commands is made from.
    pub(super) fn wanted(&self, project: ProjectId, base: ObjectId, agent: &AgentChoice) -> Wanted {
        Wanted {
            layout: self.parts.layout.clone(),
            project,
            run: self.run,
            base,
            branch: self.branch(),
            required: self.contract.containment,
            channel: self.parts.channel.clone(),
            command: agent.spec.command.clone(),
        }
    }

    /// The branch an agent finds itself on.
    pub(super) fn branch(&self) -> String {
        format!("dogwatch/{}", self.run.short())
    }

    /// The last snapshot of the run that this one continues, if there is such a run.
    pub(super) async fn earlier_work(
        &self,
        claimed: &ClaimedJob,
    ) -> Result<Option<EarlierWork>, RunnerError> {
        let Some(run) = self.goes_on.as_ref().map(|goes_on| goes_on.run) else {
            return Ok(None);
        };
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
        Ok(Some(EarlierWork {
            run,
            commit: super::object(&snapshot.commit)?,
            tree: super::object(&snapshot.tree)?,
        }))
    }
}

/// The name of the way a workspace was made.
pub(super) const fn method(workspace: &Workspace) -> &'static str {
    match workspace {
        Workspace::Plain(_) => "plain_checkout",
        Workspace::Overlay(_) => "overlay",
    }
}

/// What the first turn of a run that continues another is told.
pub(super) fn continue_hint(goes_on: &GoOn) -> String {
    let run = goes_on.run;
    let resume = format!(
        "An earlier attempt ({run}) worked on this, and its files are in the workspace; resume from the current workspace state \u{2014} do not restart from scratch."
    );
    match &goes_on.say {
        Some(say) => format!("{say}\n\n{resume}"),
        None => resume,
    }
}
