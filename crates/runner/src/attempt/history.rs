//! The agent's own commits: packed inside its containment, looked at in quarantine, and kept beside its result as history only.

use dogwatch_core::failure::clip;
use dogwatch_supervisor::{Progress, ShimPlaces, ShimSpec, oversee};
use dogwatch_workspace::Workspace;
use dogwatch_workspace::history::{History, HistoryLimits, HistoryRequest, bundle_command, import};
use tokio::sync::watch;

use super::Attempt;
use super::prepare::Prepared;
use crate::confinement::HomeLayers;
use crate::error::RunnerError;
use crate::files::{blocking, make_private};

/// How long packing may take.
const PACKING_MS: u64 = 60_000;

impl Attempt<'_> {
    /// Keeps the agent's commits if they lead to tree T. Whatever comes of it, T stands: a history is never worth a run.
    pub(super) async fn keep_history(&mut self, prepared: &Prepared) -> Result<(), RunnerError> {
        let (code, text) = match self.history(prepared).await {
            Ok(None) => return Ok(()),
            Ok(Some(said)) => said,
            Err(error) => (
                "history_left",
                format!("the agent's commits could not be kept: {}", error.chain()),
            ),
        };
        self.recorder.note(code, clip(&text, 400)).await
    }

    /// What came of the agent's commits, as a note; nothing if it made none.
    async fn history(
        &mut self,
        prepared: &Prepared,
    ) -> Result<Option<(&'static str, String)>, RunnerError> {
        let Some((_, tree)) = prepared.snapshot else {
            return Ok(None);
        };
        let (Some(confinement), Workspace::Overlay(overlay)) =
            (&prepared.workshop.confinement, &prepared.workspace)
        else {
            // Nothing on the host runs git where an agent was, so without containment there is nobody to pack its commits.
            return Ok(None);
        };
        if !overlay.paths().upper.join(".git/objects").exists() {
            return Ok(None);
        }
        let work = self.parts.layout.work(self.run);
        let (packed, shim) = (work.join("history"), self.next_shim());
        confinement.make_own(&packed)?;
        make_private(&shim)?;
        let bundle = packed.join("history.bundle");
        let command = bundle_command(prepared.base, &bundle);
        let argv: Vec<String> = command
            .argv
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let mut env = dogwatch_supervisor::env::allowed(&[]);
        env.extend(confinement.env());
        env.extend(
            command
                .env
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into())),
        );
        let places = ShimPlaces {
            frames: shim.join("output.frames"),
            exit: shim.join("exit.json"),
            directory: shim.clone(),
        };
        let mut spec = ShimSpec::new(
            &argv,
            prepared.workspace.path(),
            env,
            &places,
            PACKING_MS,
            &self.contract.limits,
        );
        let home = HomeLayers::below(&work);
        spec.view = Some(confinement.view(&prepared.workspace, &home, &[&packed], &[])?);
        let (progress, _) = watch::channel(Progress::default());
        let ended = oversee(&self.parts.launcher, spec, &shim, self.oversight(progress)).await;
        if let Err(error) = ended {
            let text = format!("the agent's commits could not be packed: {error}");
            return Ok(Some(("history_left", text)));
        }
        let (vault, run, base) = (prepared.vault.clone(), self.run, prepared.base);
        let included = prepared.included.blobs.clone();
        let (at, quarantine) = (self.parts.clock.now(), work.join("quarantine"));
        let imported = blocking(move || {
            let message = format!("Result of {run}\n\nDogwatch-Run: {run}\n");
            import(
                &vault,
                &HistoryRequest {
                    bundle: &bundle,
                    quarantine: &quarantine,
                    run,
                    base,
                    tree,
                    included: &included,
                    message: &message,
                    at,
                    limits: HistoryLimits::default(),
                },
            )
        })
        .await;
        Ok(Some(match imported {
            Ok(History::Kept { tip, commits }) => (
                "history_kept",
                format!("{commits} commit(s) of the agent lead to the result, the last is {tip}"),
            ),
            Ok(History::OneCommit { reason, .. }) => (
                "history_left",
                format!("the agent's commits are not kept: {reason}"),
            ),
            Err(error) => (
                "history_left",
                format!("the agent's commits could not be looked at: {error}"),
            ),
        }))
    }
}
