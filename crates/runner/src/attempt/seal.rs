//! The end of a run: its outcome on record, its evidence sealed, its job reported.

use dogwatch_api::CompleteRun;
use dogwatch_bundle::{Sealed, seal};
use dogwatch_core::job::{RunClosure, RunOutcome};
use dogwatch_core::run::{Phase, RunEnded, RunEvent};
use dogwatch_core::turn::TurnStatus;
use dogwatch_workspace::fingerprint;

use super::prepare::Prepared;
use super::{Attempt, Conclusion, unexplained};
use crate::bundle_upload;
use crate::crash_point::crash_point;
use crate::ended::Finished;
use crate::error::RunnerError;
use crate::evidence::{Known, manifest_facts, write_patch};
use crate::files::blocking;
use crate::patience::Patience;

impl Attempt<'_> {
    /// Seals the bundle, reports the outcome, and clears the workspace away.
    pub(super) async fn finish(
        mut self,
        prepared: Option<Prepared>,
        conclusion: Conclusion,
    ) -> Result<Finished, RunnerError> {
        let Conclusion {
            outcome,
            mut failure,
        } = conclusion;
        if outcome != RunOutcome::Succeeded && failure.is_none() {
            failure = Some(unexplained());
        }
        self.end_open_turn().await?;
        self.leave_parked("the run ends").await?;
        self.recorder.enter(Phase::Sealing).await?;
        let mut prepared = prepared;
        if let Some(prepared) = &mut prepared {
            self.last_snapshot(prepared).await?;
            self.compare_host(prepared).await?;
            if outcome == RunOutcome::Succeeded {
                self.keep_history(prepared).await?;
            }
        }
        let tree = prepared
            .as_ref()
            .and_then(|prepared| prepared.snapshot)
            .map(|(_, tree)| tree);
        if let (Some(prepared), Some(tree)) = (&prepared, tree) {
            let (vault, base, bundle) =
                (prepared.vault.clone(), prepared.base, self.bundle.clone());
            let secrets = self.secrets.clone();
            let shown =
                blocking(move || write_patch(&vault, base, tree, &bundle, &secrets)).await?;
            if let Some(name) = shown {
                let text = format!("the change shows the secret {name}; patch.diff is withheld");
                self.recorder.note("secret_in_change", text).await?;
            }
        }
        let assurance = self.assurance(outcome);
        let turns = self.recorder.state().turn_count();
        let tree = tree.map(|tree| tree.to_string());
        self.recorder
            .record(RunEvent::Ended(RunEnded {
                outcome,
                failure: failure.clone(),
                tree: tree.clone(),
                assurance,
                turns,
            }))
            .await?;
        self.recorder.close();
        crash_point!("runner.before_seal");
        let sealed = self.seal(prepared.as_ref()).await?;
        crash_point!("runner.after_seal");
        let plane = &self.parts.plane;
        if self.parts.remote {
            bundle_upload::send(&**plane, &self.patience, self.held, self.run, &self.bundle)
                .await?;
        }
        let request = CompleteRun {
            held: self.held,
            run: self.run,
            closure: RunClosure {
                outcome,
                failure: failure.clone(),
                tree: tree.clone(),
                assurance,
                manifest: Some(sealed.manifest_digest),
                turns,
                at: self.parts.clock.now(),
            },
        };
        let job = Patience::for_last_words()
            .ask(|| plane.complete(request.clone()))
            .await?;
        crash_point!("runner.before_clean_up");
        let keep = prepared
            .as_ref()
            .is_some_and(|prepared| prepared.keep_workspace);
        let cleanup = self.clean_up(keep).await;
        Ok(Finished {
            job: self.held.job,
            status: job.state.status(),
            run: self.run,
            outcome,
            failure,
            assurance,
            tree,
            turns,
            gates: self.recorder.state().gates.clone(),
            bundle: self.bundle.root().to_owned(),
            manifest: sealed.manifest_digest,
            cleanup,
        })
    }

    /// A turn that an error of dogwatch's own cut short is recorded as failed, not left open.
    async fn end_open_turn(&mut self) -> Result<(), RunnerError> {
        let Some(turn) = self.recorder.state().open_turn().map(|turn| turn.turn) else {
            return Ok(());
        };
        self.recorder
            .record(RunEvent::TurnEnded(dogwatch_core::run::TurnEnded {
                turn,
                status: TurnStatus::Failed,
                response_status: None,
                outcome: dogwatch_core::turn::TurnOutcome::Unclassified,
                outcome_reason: "dogwatch could not carry the turn out".to_owned(),
                summary: String::new(),
                tool_calls: 0,
                exit_code: None,
                kill_rung: "none".to_owned(),
                containment: None,
                leftovers: 0,
                duration_ms: 0,
                output_bytes: 0,
                dropped_bytes: 0,
                exit_record: None,
                failure: None,
            }))
            .await
    }

    /// Where an error struck between a turn and its snapshot, what the agent left is kept now.
    async fn last_snapshot(&mut self, prepared: &mut Prepared) -> Result<(), RunnerError> {
        let state = self.recorder.state();
        let turns = state.turn_count();
        let kept = state.snapshot.as_ref().map_or(0, |snapshot| snapshot.turn);
        if turns == 0 || kept == turns {
            return Ok(());
        }
        match self.snapshot(prepared, turns).await {
            Ok(()) => Ok(()),
            Err(RunnerError::Snapshot(error)) => {
                prepared.keep_workspace = true;
                let text = format!("the workspace is kept, because it could not be read: {error}");
                self.recorder.note("snapshot_failed", text).await
            }
            Err(error) => Err(error),
        }
    }

    /// Without containment an agent can reach the user's repository: whatever changed there is at least on record.
    pub(super) async fn compare_host(&mut self, prepared: &Prepared) -> Result<(), RunnerError> {
        let (common, before) = (
            prepared.checkout.common_dir().to_owned(),
            prepared.before.clone(),
        );
        let differences =
            blocking(move || fingerprint::fingerprint(&common).map(|after| before.compare(&after)))
                .await;
        match differences {
            Ok(differences) if differences.is_empty() => Ok(()),
            Ok(differences) => {
                let list = differences
                    .iter()
                    .map(|difference| format!("{} {:?}", difference.path, difference.kind))
                    .collect::<Vec<_>>()
                    .join("; ");
                let text = format!("the user's .git changed while the run was under way: {list}");
                self.recorder.note("host_git_changed", text).await
            }
            Err(error) => {
                let text = format!("the user's .git could not be compared: {error}");
                self.recorder.note("host_git_unknown", text).await
            }
        }
    }

    async fn seal(&self, prepared: Option<&Prepared>) -> Result<Sealed, RunnerError> {
        let facts = manifest_facts(&Known {
            version: &self.parts.version,
            run: self.run,
            job: self.held.job,
            project: self.recorder.project(),
            attempt: self.number,
            base_commit: &self.contract.base_commit,
            limits: &self.contract.limits,
            checkout: prepared.and_then(|prepared| prepared.checkout.top_level().file_name()),
            command: prepared.map_or(&[][..], |prepared| &prepared.agent.spec.command),
            kill_rung: &self.kill_rung,
            state: self.recorder.state(),
            now: self.parts.clock.now(),
        })?;
        let (bundle, keys) = (self.bundle.clone(), self.parts.keys.clone());
        blocking(move || seal(bundle.root(), facts, keys.signing_key()))
            .await
            .map_err(RunnerError::from)
    }
}
