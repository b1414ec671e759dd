//! A run without a runner: what it left is kept, and its journal brought to an end.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dogwatch_api::HeldLease;
use dogwatch_bundle::{BundleLayout, seal};
use dogwatch_config::EffectiveProfile;
use dogwatch_core::Sha256Digest;
use dogwatch_core::contract::Contract;
use dogwatch_core::event::Envelope;
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::job::{Assurance, Job, RunClosure, RunHeader, RunOutcome};
use dogwatch_core::run::{
    Phase, RunEnded, RunEvent, RunParked, RunResumed, RunStarted, RunState, SURFACE_UNATTENDED,
    SnapshotTaken,
};
use dogwatch_workspace::snapshot::Extent;
use dogwatch_workspace::tree::TreeLimits;
use dogwatch_workspace::{ObjectId, SnapshotError, SnapshotRequest, Vault, snapshot};

use super::journal::{all_lines, restore_journal};
use super::work::is_kept;
use crate::attempt::workshop;
use crate::crash_point::crash_point;
use crate::error::RunnerError;
use crate::evidence::{Known, manifest_facts, write_patch};
use crate::files::blocking;
use crate::patience::Patience;
use crate::project::ProjectRecord;
use crate::recorder::{Copy, Recorder, RecorderParts};
use crate::runner::RunnerParts;
use crate::secrets;

/// The label of the snapshot of what a dead runner left, and the one for when that cannot be written.
const ORPHAN: [&str; 2] = ["orphan", "orphan-again"];

/// Who brings an orphan to its end.
#[derive(Clone, Debug)]
pub(super) enum Mourner {
    /// Whoever speaks for the dead holder of its lease, which is alive: what is recorded goes to the control plane too.
    Successor,
    /// Whoever finds it closed by the control plane. What is recorded stays here, after what the control plane has.
    Collector(RunClosure),
}

/// A run whose runner is dead.
pub(super) struct Orphan<'a> {
    parts: &'a RunnerParts,
    job: &'a Job,
    header: RunHeader,
    contract: Contract,
    pub(super) bundle: BundleLayout,
    pub(super) recorder: Recorder,
    mourner: Mourner,
    /// What it waits for, where it was set aside.
    pub(super) parked: Option<RunParked>,
    vault: Option<Vault>,
    base: ObjectId,
    /// Whether what the agent left is safely in the vault.
    pub(super) kept: bool,
}

impl<'a> Orphan<'a> {
    /// Puts the control plane's copy of the journal in the place of the local one; lines that never arrived become an artifact.
    pub(super) async fn open(
        parts: &'a RunnerParts,
        job: &'a Job,
        header: RunHeader,
        held: HeldLease,
        contract: Contract,
        stored: Vec<u8>,
        mourner: Mourner,
    ) -> Result<Self, RunnerError> {
        let run = header.id;
        let bundle = BundleLayout::new(parts.layout.bundle(run));
        let lines = all_lines(&*parts.plane, run).await?;
        let writer = {
            let (bundle, lines) = (bundle.clone(), lines.clone());
            blocking(move || restore_journal(&bundle, run, &lines, &stored)).await?
        };
        let recorder = Recorder::resume(
            RecorderParts {
                writer,
                run,
                project: job.project,
                held,
                machine: parts.machine,
                clock: parts.clock.clone(),
                entropy: parts.entropy.clone(),
                copy: match &mourner {
                    Mourner::Successor => Some(Copy {
                        plane: parts.plane.clone(),
                        patience: Patience::None,
                    }),
                    Mourner::Collector(_) => None,
                },
                observer: parts.observer.clone(),
            },
            &lines,
        )?;
        let base = ObjectId::from_hex(contract.base_commit.as_bytes())
            .map_err(|error| RunnerError::Profile(error.to_string()))?;
        let (data, project) = (parts.layout.root().to_owned(), job.project);
        let vault = blocking(move || Vault::open(&data, project)).await?;
        Ok(Self {
            parts,
            job,
            header,
            contract,
            bundle,
            parked: waits_for(recorder.state(), &lines),
            recorder,
            mourner,
            vault,
            base,
            kept: false,
        })
    }

    /// Keeps what the agent left and writes the outcome, unless the run had come to one.
    pub(super) async fn end(&mut self) -> Result<RunEnded, RunnerError> {
        let state = self.recorder.state();
        if let Some(ended) = state.ended.clone() {
            self.kept = is_kept(state);
            return Ok(ended);
        }
        if state.phase == Phase::Parked {
            self.recorder
                .record(RunEvent::Resumed(RunResumed {
                    epoch: self.header.epoch,
                    because: "the run was closed".to_owned(),
                }))
                .await?;
        }
        if self.recorder.state().started.is_none() {
            let profile = fs::read(self.bundle.profile())
                .map_err(RunnerError::file("read", self.bundle.profile()))?;
            self.recorder
                .record(RunEvent::Started(RunStarted {
                    attempt: self.header.attempt,
                    contract: self.job.contract,
                    profile: Sha256Digest::of(&profile),
                    base: self.contract.base_commit.clone(),
                    agent: self.contract.agent.clone(),
                    driver: "none".to_owned(),
                    session_id: self.header.session,
                    continues: self.header.continues,
                    start_from: self.header.start_from,
                    surface: SURFACE_UNATTENDED.to_owned(),
                }))
                .await?;
        }
        let checkpoint = self.recorder.state().checkpoint.clone();
        self.recorder.enter(Phase::Sealing).await?;
        self.keep().await?;
        crash_point!("recover.snapshot_recorded");
        let state = self.recorder.state();
        let tree = state
            .snapshot
            .as_ref()
            .map(|snapshot| snapshot.tree.clone());
        let turns = state.turn_count();
        if let (Some(vault), Some(tree)) = (self.vault.clone(), tree.clone()) {
            let (base, bundle) = (self.base, self.bundle.clone());
            let tree = ObjectId::from_hex(tree.as_bytes())
                .map_err(|error| RunnerError::Profile(error.to_string()))?;
            let profile = self.profile()?;
            let pass_env = profile.map_or_else(Vec::new, |profile| profile.agent.env);
            let home = std::env::var_os("HOME").map(PathBuf::from);
            let shown = blocking(move || {
                // The token of the run died with its lease, and its other values were in the memory of the dead.
                let (secrets, _) = secrets::of_run([], &pass_env, home.as_deref());
                write_patch(&vault, base, tree, &bundle, &secrets)
            })
            .await?;
            if let Some(name) = shown {
                let text = format!("the change shows the secret {name}; patch.diff is withheld");
                self.recorder.note("secret_in_change", text).await?;
            }
        }
        let (outcome, failure) = match &self.mourner {
            Mourner::Successor => (
                RunOutcome::Orphaned,
                Some(Failure::new(
                    FailureClass::Lease,
                    "lease_lost",
                    "recovery",
                    format!("the process that ran it died ({checkpoint})"),
                    "nothing: the job is queued again; what the agent wrote is kept",
                )),
            ),
            Mourner::Collector(closure) => (closure.outcome, closure.failure.clone()),
        };
        let ended = RunEnded {
            outcome,
            failure,
            tree,
            assurance: Assurance::None,
            turns,
        };
        self.recorder.record(RunEvent::Ended(ended.clone())).await?;
        Ok(ended)
    }

    /// Keeps what the agent left, unless a snapshot holds it already.
    async fn keep(&mut self) -> Result<(), RunnerError> {
        let Some(vault) = self.vault.clone() else {
            self.kept = true;
            return Ok(());
        };
        let (layout, project, run) = (self.parts.layout.clone(), self.job.project, self.header.id);
        let found = {
            let vault = vault.clone();
            blocking(move || {
                let workspace = workshop::open(&layout, project, run, &vault)?;
                let included = workshop::included(&layout, run)?;
                Ok::<_, RunnerError>(workspace.map(|workspace| (workspace, included)))
            })
            .await
        };
        let (workspace, included) = match found {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.kept = true;
                return Ok(());
            }
            Err(error) => return self.unreadable(&error).await,
        };
        let state = self.recorder.state();
        let turn = state.turn_count();
        if turn == 0 {
            // No agent was ever let in: what stands there is the base.
            self.kept = true;
            return Ok(());
        }
        let taken_before = |last: &SnapshotTaken| ORPHAN.contains(&last.label.as_str());
        if state.snapshot.as_ref().is_some_and(taken_before) {
            // An earlier recovery took it, and nothing has written there since.
            self.kept = true;
            return Ok(());
        }
        let parent = match &state.snapshot {
            Some(snapshot) => ObjectId::from_hex(snapshot.commit.as_bytes())
                .map_err(|error| RunnerError::Profile(error.to_string()))?,
            None => self.base,
        };
        let base = self.base;
        // On record, so that a recovery that is killed and done again makes the same commit again.
        let at = state
            .phase_started_at
            .unwrap_or_else(|| self.parts.clock.now());
        let taken = blocking(move || {
            let message = format!("{run} as its runner left it\n\nDogwatch-Run: {run}\n");
            let take = |label| {
                let request = SnapshotRequest {
                    workspace: workspace.contents(),
                    base,
                    run,
                    label,
                    parent,
                    message: &message,
                    at,
                    limits: TreeLimits::default(),
                };
                let extent = Extent {
                    excluded: &included.paths,
                    ..Extent::default()
                };
                snapshot::take(&vault, &request, &extent).map(|taken| (label, taken.snapshot))
            };
            let [label, other] = ORPHAN;
            // A git that was killed leaves its lock on the name it was about to write.
            take(label).or_else(|error| match error {
                SnapshotError::Git(_) => take(other),
                error => Err(error),
            })
        })
        .await;
        crash_point!("recover.snapshot_taken");
        match taken {
            Ok((label, taken)) => {
                self.kept = true;
                self.recorder
                    .record(RunEvent::SnapshotTaken(SnapshotTaken {
                        turn,
                        label: label.to_owned(),
                        commit: taken.commit.to_string(),
                        tree: taken.tree.to_string(),
                        files: taken.report.files,
                        ignored: taken.report.ignored.count,
                    }))
                    .await
            }
            Err(error) => self.unreadable(&error.into()).await,
        }
    }

    async fn unreadable(&mut self, error: &RunnerError) -> Result<(), RunnerError> {
        let text = format!(
            "the workspace is kept, because it could not be read: {}",
            error.chain()
        );
        self.recorder.note("snapshot_failed", text).await
    }

    /// The configuration it was started with; none if there was none.
    fn profile(&self) -> Result<Option<EffectiveProfile>, RunnerError> {
        let bytes = fs::read(self.bundle.profile())
            .map_err(RunnerError::file("read", self.bundle.profile()))?;
        Ok(serde_json::from_slice(&bytes).ok())
    }

    pub(super) async fn seal(&self) -> Result<Sha256Digest, RunnerError> {
        let project = ProjectRecord::read(&self.parts.layout, self.job.project).ok();
        let directory = project.map(|project| project.directory());
        let command = self
            .profile()?
            .map_or_else(Vec::new, |profile| profile.agent.command);
        let facts = manifest_facts(&Known {
            version: &self.parts.version,
            run: self.header.id,
            job: self.job.id,
            project: self.job.project,
            attempt: self.header.attempt,
            base_commit: &self.contract.base_commit,
            limits: &self.contract.limits,
            checkout: directory.as_deref().and_then(Path::file_name),
            command: &command,
            kill_rung: "recovery",
            state: self.recorder.state(),
            now: self.parts.clock.now(),
        })?;
        let (bundle, keys) = (self.bundle.clone(), Arc::clone(&self.parts.keys));
        let sealed = blocking(move || seal(bundle.root(), facts, keys.signing_key())).await?;
        Ok(sealed.manifest_digest)
    }
}

/// What a run waits for, if the last thing it did was to be set aside.
fn waits_for(state: &RunState, lines: &[Vec<u8>]) -> Option<RunParked> {
    let last = lines.last().filter(|_| state.phase == Phase::Parked)?;
    let envelope: Envelope = serde_json::from_slice(last).ok()?;
    match RunEvent::from_parts(&envelope.kind, &envelope.data) {
        Ok(RunEvent::Parked(facts)) => Some(facts),
        _ => None,
    }
}
