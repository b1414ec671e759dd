//! From a lease to a workspace: the run's first lines, its fixed configuration, its vault and its private clone.

use std::fs;
use std::path::PathBuf;

use dogwatch_agents::{AgentChoice, AgentSpec, choose};
use dogwatch_api::{ClaimedJob, HeldLease, StartRun};
use dogwatch_bundle::{BundleLayout, JournalWriter};
use dogwatch_config::EffectiveProfile;
use dogwatch_core::Sha256Digest;
use dogwatch_core::canonical;
use dogwatch_core::contract::Contract;
use dogwatch_core::ids::{RunId, WorkspaceId};
use dogwatch_core::job::StartFrom;
use dogwatch_core::run::{Phase, RunEvent, RunStarted, SURFACE_UNATTENDED, WorkspaceReady};
use dogwatch_core::turn::GateFeedback;
use dogwatch_workspace::fingerprint::Fingerprint;
use dogwatch_workspace::{Checkout, ObjectId, PrivateClone, Vault, fingerprint};
use serde_json::json;

use super::Attempt;
use crate::error::RunnerError;
use crate::files::{blocking, make_bundle, write_durably};
use crate::heartbeat::Pulse;
use crate::profile::load_project_config;
use crate::project::ProjectRecord;
use crate::recorder::{Recorder, RecorderParts};
use crate::runner::{RunControl, RunnerParts};

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
    /// What a restarted agent is told.
    pub(super) hint: Option<String>,
    /// The latest snapshot's commit and tree.
    pub(super) snapshot: Option<(ObjectId, ObjectId)>,
}

/// The fixed configuration of a run, or why there is none: the run then fails with that reason, on record.
pub(super) type Profile = Result<FoundProfile, RunnerError>;

pub(super) struct FoundProfile {
    checkout: Checkout,
    base: ObjectId,
    profile: EffectiveProfile,
}

fn find(parts: &RunnerParts, claimed: &ClaimedJob, contract: &Contract) -> Profile {
    let record = ProjectRecord::read(&parts.layout, claimed.job.project)?;
    let checkout = Checkout::discover(&record.directory())?;
    let base = ObjectId::from_hex(contract.base_commit.as_bytes())
        .map_err(|error| RunnerError::Profile(error.to_string()))?;
    let config = load_project_config(&checkout, base, &parts.profile)?;
    let profile = config
        .profile(&contract.agent)
        .map_err(|error| RunnerError::Profile(error.to_string()))?;
    Ok(FoundProfile {
        checkout,
        base,
        profile,
    })
}

impl<'a> Attempt<'a> {
    /// Fixes the configuration, starts the run with the control plane, and writes the first line.
    pub(super) async fn start(
        parts: &'a RunnerParts,
        claimed: &ClaimedJob,
        contract: Contract,
        held: HeldLease,
        pulse: Pulse,
        control: &RunControl,
    ) -> Result<(Self, Profile), RunnerError> {
        let found = {
            let (parts, claimed, contract) = (parts.clone(), claimed.clone(), contract.clone());
            blocking(move || find(&parts, &claimed, &contract)).await
        };
        let profile_bytes = match &found {
            Ok(found) => found
                .profile
                .to_stored()
                .map(|stored| stored.bytes)
                .map_err(|error| RunnerError::Profile(error.to_string()))?,
            Err(error) => canonical::value_to_bytes(&json!({ "error": error.chain() }))
                .map_err(|error| RunnerError::Profile(error.to_string()))?,
        };
        let run = RunId::mint(&*parts.clock, &*parts.entropy);
        let started = parts
            .plane
            .start(StartRun {
                held,
                run,
                session: claimed.job.session,
                continues: None,
                start_from: StartFrom::Base,
            })
            .await?;
        let bundle = BundleLayout::new(parts.layout.bundle(run));
        let profile_hash = Sha256Digest::of(&profile_bytes);
        let writer = {
            let (bundle, contract) = (bundle.clone(), claimed.contract.clone());
            blocking(move || open_bundle(&bundle, run, &contract, &profile_bytes)).await?
        };
        let mut recorder = Recorder::new(RecorderParts {
            writer: Some(writer),
            run,
            project: claimed.job.project,
            held,
            machine: parts.machine,
            clock: parts.clock.clone(),
            entropy: parts.entropy.clone(),
            plane: parts.plane.clone(),
            observer: parts.observer.clone(),
        });
        recorder
            .record(RunEvent::Started(RunStarted {
                attempt: started.run.attempt,
                contract: claimed.job.contract,
                profile: profile_hash,
                base: contract.base_commit.clone(),
                agent: contract.agent.clone(),
                driver: found.as_ref().map_or_else(
                    |_| "none".to_owned(),
                    |found| found.profile.agent.driver.to_string(),
                ),
                session_id: claimed.job.session,
                continues: None,
                start_from: StartFrom::Base,
                surface: SURFACE_UNATTENDED.to_owned(),
            }))
            .await?;
        let attempt = Self {
            parts,
            contract,
            held,
            run,
            number: started.run.attempt,
            bundle,
            recorder,
            orders: control.orders.subscribe(),
            pulse,
            kill_rung: "none".to_owned(),
            shims: 0,
        };
        Ok((attempt, found))
    }

    /// Makes the vault and the private clone.
    pub(super) async fn prepare(
        &mut self,
        claimed: &ClaimedJob,
        profile: Profile,
    ) -> Result<Prepared, RunnerError> {
        let found = profile?;
        let spec = AgentSpec {
            driver: found.profile.agent.driver.to_string(),
            command: found.profile.agent.command.clone(),
            pass_env: found.profile.agent.env.clone(),
        };
        let agent = choose(&self.contract.agent, &spec, self.parts.launcher.clone())?;
        let project = claimed.job.project;
        let data = self.parts.layout.root().to_owned();
        let workspace = self.parts.layout.workspace(self.run);
        let branch = format!("dogwatch/{}", self.run.short());
        let (base, checkout, target) = (found.base, found.checkout, workspace.clone());
        let (checkout, vault, before) = blocking(move || {
            let vault = Vault::open_or_create(&data, project, checkout.object_format())?;
            vault.fetch_base(&checkout, base)?;
            let before = fingerprint::fingerprint(checkout.common_dir())?;
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent).map_err(RunnerError::file("create", parent))?;
            }
            PrivateClone::create(&vault, base, &target, &branch)?;
            Ok::<_, RunnerError>((checkout, vault, before))
        })
        .await?;
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
            keep_workspace: found.profile.run.keep_workspace,
            before,
            current_task: self.contract.task.clone(),
            feedback: Vec::new(),
            hint: None,
            snapshot: None,
        })
    }
}

/// Makes the bundle's directory with the bytes the run is held to, and its journal.
fn open_bundle(
    bundle: &BundleLayout,
    run: RunId,
    contract: &[u8],
    profile: &[u8],
) -> Result<JournalWriter, RunnerError> {
    make_bundle(bundle)?;
    for (path, bytes) in [(bundle.contract(), contract), (bundle.profile(), profile)] {
        write_durably(&path, bytes)?;
    }
    Ok(JournalWriter::create(bundle.journal(), run)?)
}
