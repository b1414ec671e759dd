//! A round of gates on the tree T, after the agent's processes are gone.

use std::fs;
use std::path::Path;

use dogwatch_core::run::{GateFinished, GateResult, RunEvent};
use dogwatch_gates::{AcceptanceFiles, AcceptanceRun, GateReport, diff_scope, run_acceptance};
use dogwatch_supervisor::{Progress, ShimPlaces};
use dogwatch_workspace::{ObjectId, diff};
use tokio::sync::watch;

use super::Attempt;
use super::prepare::Prepared;
use crate::confinement::HomeLayers;
use crate::error::RunnerError;
use crate::files::{blocking, make_private, write_durably};
use crate::observe::Activity;

impl Attempt<'_> {
    /// Runs every gate, keeps their evidence, and prepares what the agent has to mend.
    pub(super) async fn gates(
        &mut self,
        prepared: &mut Prepared,
    ) -> Result<Vec<GateFinished>, RunnerError> {
        let round = self.recorder.state().gate_rounds;
        let Some((_, tree)) = prepared.snapshot else {
            return Ok(Vec::new());
        };
        let (vault, base) = (prepared.vault.clone(), prepared.base);
        let changes = blocking(move || diff::changes(&vault, base, tree)).await?;
        let scope = diff_scope(&self.contract, &tree.to_string(), &changes);
        let in_scope = scope.result == GateResult::Passed;
        let mut reports = vec![scope];
        if in_scope {
            reports.extend(self.acceptance(prepared, tree, round).await?);
        }
        let mut facts = Vec::new();
        for report in &reports {
            self.keep(report, round)?;
            let fact = report.fact(round);
            self.recorder
                .record(RunEvent::GateFinished(fact.clone()))
                .await?;
            facts.push(fact);
        }
        prepared.feedback = reports
            .iter()
            .filter(|report| report.is_failure())
            .map(GateReport::feedback)
            .collect();
        Ok(facts)
    }

    /// The contract's commands, one after the other in one fresh checkout of T.
    async fn acceptance(
        &mut self,
        prepared: &Prepared,
        tree: ObjectId,
        round: u32,
    ) -> Result<Vec<GateReport>, RunnerError> {
        let gates = self.contract.acceptance.clone();
        if gates.is_empty() {
            return Ok(Vec::new());
        }
        let directory = self.parts.layout.gate_checkout(self.run, round);
        let (workshop, target) = (prepared.workshop.clone(), directory.clone());
        let place = blocking(move || workshop.export(tree, &target)).await?;
        // A home of their own: what the agent left in its copy is no gate's business.
        let home = HomeLayers::below(&directory);
        let mut env = vec![
            ("DOGWATCH_RUN_ID".into(), self.run.to_string().into()),
            ("DOGWATCH_JOB_ID".into(), self.held.job.to_string().into()),
        ];
        if let Some(confinement) = &prepared.workshop.confinement {
            env.extend(confinement.env());
        }
        let mut reports = Vec::new();
        for gate in gates {
            self.set_aside(&gate.name, round)?;
            let paths = self.bundle.gate(&gate.name);
            let shim = self.next_shim();
            for path in [&paths.dir, &shim] {
                make_private(path)?;
            }
            let run = AcceptanceRun {
                tree: tree.to_string(),
                directory: place.path().to_owned(),
                view: match &prepared.workshop.confinement {
                    Some(confinement) => Some(confinement.view(&place, &home, &[], &[])?),
                    None => None,
                },
                env: env.clone(),
                files: AcceptanceFiles {
                    shim: ShimPlaces {
                        frames: paths.frames(),
                        exit: paths.dir.join("exit.json"),
                        directory: shim,
                    },
                    stdout: paths.stdout(),
                    stderr: paths.stderr(),
                },
                limits: self.contract.limits.clone(),
                gate,
            };
            reports.push(self.run_gate(run).await?);
            self.receive_orders().await?;
            if self.recorder.state().cancel.is_some() {
                break;
            }
        }
        Ok(reports)
    }

    async fn run_gate(&self, run: AcceptanceRun) -> Result<GateReport, RunnerError> {
        let (progress, mut seen) = watch::channel(Progress::default());
        let (observer, id) = (self.parts.observer.clone(), self.run);
        let turn = self.recorder.state().turn_count();
        let checkpoint = format!("Gate {}", run.gate.name);
        let follow = async move {
            while seen.changed().await.is_ok() {
                let progress = seen.borrow_and_update().clone();
                observer.activity(id, &Activity::of(turn, &checkpoint, &progress));
            }
        };
        let work = run_acceptance(run, &self.parts.launcher, self.oversight(progress));
        let (report, ()) = tokio::join!(work, follow);
        Ok(report?)
    }

    /// Makes room for a gate's new evidence; the round before stays beside it.
    fn set_aside(&self, gate: &str, round: u32) -> Result<(), RunnerError> {
        let dir = self.bundle.gate(gate).dir;
        if round < 2 || !dir.exists() {
            return Ok(());
        }
        let entries = fs::read_dir(&dir).map_err(RunnerError::file("list", &dir))?;
        for entry in entries {
            let entry = entry.map_err(RunnerError::file("list", &dir))?;
            let name = entry.file_name();
            let name = Path::new(&name).to_string_lossy();
            if name.starts_with("round-") {
                continue;
            }
            let aside = dir.join(format!("round-{:03}.{name}", round - 1));
            fs::rename(entry.path(), &aside).map_err(RunnerError::file("rename", entry.path()))?;
        }
        Ok(())
    }

    fn keep(&self, report: &GateReport, round: u32) -> Result<(), RunnerError> {
        let paths = self.bundle.gate(&report.gate);
        make_private(&paths.dir)?;
        if !report.acceptance {
            self.set_aside(&report.gate, round)?;
        }
        let bytes = serde_json::to_vec_pretty(report)
            .map_err(std::io::Error::from)
            .map_err(RunnerError::file("encode", paths.result()))?;
        write_durably(&paths.result(), &bytes)
    }
}
