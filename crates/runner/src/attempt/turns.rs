//! One turn: request, agent, evidence, snapshot, verdict.

use dogwatch_agents::{DriverError, TurnFiles, TurnInput, TurnReport};
use dogwatch_bundle::TurnPaths;
use dogwatch_core::Sha256Digest;
use dogwatch_core::contract::Containment;
use dogwatch_core::failure::clip;
use dogwatch_core::run::{
    Phase, RunEvent, SnapshotTaken, StallRestart, Step, TurnBegun, TurnEnded, after_turn,
    restart_hint,
};
use dogwatch_core::turn::{
    AgentRequest, Exit, REQUEST_VERSION, RequestLimits, TurnStatus, TurnVerdict, judge,
};
use dogwatch_supervisor::{ExitRecord, PlainFiles, Progress, Rung, ShimPlaces, derive_plain};
use dogwatch_workspace::snapshot::Extent;
use dogwatch_workspace::tree::TreeLimits;
use dogwatch_workspace::{PathBytes, SnapshotRequest, TreeReport, snapshot};
use tokio::sync::watch;

use super::Attempt;
use super::park::Next;
use super::prepare::Prepared;
use crate::confinement::HomeLayers;
use crate::crash_point::crash_point;
use crate::error::RunnerError;
use crate::files::{blocking, make_private};
use crate::observe::Activity;
use crate::output_mirror::{OutputMirror, PIECE, TurnOutput};

impl Attempt<'_> {
    /// Gives the agent a turn and says what follows.
    pub(super) async fn turn(&mut self, prepared: &mut Prepared) -> Result<Next, RunnerError> {
        let turn = self.recorder.state().turn_count() + 1;
        let input = self.turn_input(prepared, turn)?;
        let request = input.request.to_file().map_err(DriverError::Request)?;
        self.recorder
            .record(RunEvent::TurnBegun(TurnBegun {
                turn,
                task: clip(&prepared.current_task, 1000),
                request: Sha256Digest::of(&request),
            }))
            .await?;
        self.recorder.enter(Phase::TurnExecuting).await?;
        let (report, mirror) = self.supervise(prepared, turn, input).await?;
        rung(&report.record).clone_into(&mut self.kill_rung);
        self.recorder.enter(Phase::TurnPersisting).await?;
        // Whoever reads that the turn has ended finds all of its output.
        if let Some((code, text)) = mirror.finish(&self.patience).await? {
            self.recorder.note(code, text).await?;
        }
        self.receive_orders().await?;
        let verdict = judge(
            &report.exit,
            &report.response,
            prepared.agent.driver.missing_response(),
            false,
        );
        let paths = self.bundle.turn(turn);
        let exit_digest = keep_output(paths).await?;
        self.recorder
            .record(RunEvent::TurnEnded(ended(
                turn,
                &report,
                &verdict,
                exit_digest,
            )))
            .await?;
        crash_point!("runner.before_snapshot");
        self.snapshot(prepared, turn).await?;
        let step = after_turn(
            self.recorder.state(),
            &self.contract.limits,
            &verdict,
            self.now(),
        );
        self.after(prepared, turn, &verdict, &step).await?;
        self.heed_requests(prepared, &verdict, step).await
    }

    fn turn_input(&mut self, prepared: &Prepared, turn: u32) -> Result<TurnInput, RunnerError> {
        let limits = self.contract.limits.clone();
        let paths = self.bundle.turn(turn);
        let exchange = self.parts.layout.exchange(self.run, turn);
        let shim = self.next_shim();
        for directory in [&paths.dir, &exchange, &shim] {
            make_private(directory)?;
        }
        let view = match &prepared.workshop.confinement {
            Some(confinement) => {
                confinement.make_own(&exchange)?;
                let home = HomeLayers::below(&self.parts.layout.work(self.run));
                let context = self.parts.layout.context(self.run);
                let readable: Vec<_> = self.context.iter().map(|_| context.as_path()).collect();
                Some(confinement.view(&prepared.workspace, &home, &[&exchange], &readable)?)
            }
            None => None,
        };
        let elapsed = self
            .recorder
            .state()
            .started_at
            .map_or(0, |at| self.now().since(at).as_millis());
        let left = limits
            .wall_ms
            .saturating_sub(u64::try_from(elapsed).unwrap_or(u64::MAX))
            .max(1);
        Ok(TurnInput {
            request: AgentRequest {
                version: REQUEST_VERSION,
                job_id: self.held.job,
                run_id: self.run,
                session_id: None,
                turn,
                task: self.contract.task.clone(),
                current_task: prepared.current_task.clone(),
                workspace: prepared.workspace.path().to_string_lossy().into_owned(),
                hint: prepared.hint.clone(),
                failed_gates: prepared.feedback.clone(),
                limits: RequestLimits {
                    max_turns: limits.max_turns,
                    turn_budget_ms: limits.turn_budget_ms.min(left),
                    stall_window_ms: limits.stall_window_ms,
                },
                tools: Vec::new(),
            },
            workspace: prepared.workspace.path().to_owned(),
            view,
            env: self.run_env(turn, prepared),
            secrets: self.run_secrets(),
            files: TurnFiles {
                exchange,
                prompt: paths.prompt(),
                request: paths.request(),
                response: paths.response(),
                shim: ShimPlaces {
                    frames: paths.frames(),
                    exit: paths.exit(),
                    directory: shim,
                },
            },
            budget_ms: limits.turn_budget_ms.min(left),
            limits,
        })
    }

    async fn supervise(
        &self,
        prepared: &Prepared,
        turn: u32,
        input: TurnInput,
    ) -> Result<(TurnReport, OutputMirror), RunnerError> {
        let (progress, mut seen) = watch::channel(Progress::default());
        let (observer, run) = (self.parts.observer.clone(), self.run);
        let checkpoint = self.recorder.state().checkpoint.clone();
        let mirror = OutputMirror::start(TurnOutput {
            plane: self.parts.plane.clone(),
            held: self.held,
            run,
            turn,
            frames: input.files.shim.frames.clone(),
        });
        let hurry = mirror.hurry();
        let follow = async move {
            let mut sent = 0;
            while seen.changed().await.is_ok() {
                let progress = seen.borrow_and_update().clone();
                let activity = Activity::of(turn, &checkpoint, &progress);
                observer.activity(run, &activity);
                if activity.output_bytes.saturating_sub(sent) >= PIECE as u64 {
                    sent = activity.output_bytes;
                    hurry.notify_one();
                }
            }
        };
        let work = prepared.agent.driver.turn(input, self.oversight(progress));
        let (report, ()) = tokio::join!(work, follow);
        Ok((report?, mirror))
    }

    /// Keeps what the agent left, so that nothing it wrote can be lost with the workspace.
    pub(super) async fn snapshot(
        &mut self,
        prepared: &mut Prepared,
        turn: u32,
    ) -> Result<(), RunnerError> {
        let label = format!("turn-{turn:03}");
        let message = format!(
            "{} after turn {turn}\n\nDogwatch-Run: {}\n",
            self.run, self.run
        );
        let (vault, workspace, name) = (
            prepared.vault.clone(),
            prepared.workspace.clone(),
            label.clone(),
        );
        let (base, run, at) = (prepared.base, self.run, self.parts.clock.now());
        let included = prepared.included.paths.clone();
        let parent = prepared
            .snapshot
            .map_or(prepared.origin, |(commit, _)| commit);
        let taken = blocking(move || {
            snapshot::take(
                &vault,
                &SnapshotRequest {
                    workspace: workspace.contents(),
                    base,
                    run,
                    label: &name,
                    parent,
                    message: &message,
                    at,
                    limits: TreeLimits::default(),
                },
                &Extent {
                    excluded: &included,
                    ..Extent::default()
                },
            )
        })
        .await?;
        if let Some(kept) = &taken.ignored
            && kept.listed > 0
        {
            let text = format!(
                "{} ignored file(s) of {} are too much for a snapshot and are listed in {}",
                kept.listed,
                kept.listed + kept.kept,
                kept.name
            );
            self.recorder.note("ignored_not_kept", text).await?;
        }
        let taken = taken.snapshot;
        self.recorder
            .record(RunEvent::SnapshotTaken(SnapshotTaken {
                turn,
                label,
                commit: taken.commit.to_string(),
                tree: taken.tree.to_string(),
                files: taken.report.files,
                ignored: taken.report.ignored.count,
            }))
            .await?;
        for (code, text) in findings(&taken.report) {
            self.recorder.note(code, text).await?;
        }
        prepared.snapshot = Some((taken.commit, taken.tree));
        Ok(())
    }

    /// What the next turn starts with.
    async fn after(
        &mut self,
        prepared: &mut Prepared,
        turn: u32,
        verdict: &TurnVerdict,
        step: &Step,
    ) -> Result<(), RunnerError> {
        prepared.hint = None;
        if verdict.status != TurnStatus::Stalled {
            // The agent had its chance to mend what the gates found; a stalled one gets the same feedback again.
            prepared.feedback.clear();
        }
        if let Step::Restart { backoff } = step {
            prepared.hint = Some(restart_hint(turn, &self.contract.limits));
            let consecutive = self.recorder.state().consecutive_stalls;
            self.recorder
                .record(RunEvent::Stalled(StallRestart {
                    turn,
                    consecutive,
                    stall_window_ms: self.contract.limits.stall_window_ms,
                    backoff_ms: u64::try_from(backoff.as_millis()).unwrap_or(u64::MAX),
                }))
                .await?;
        }
        Ok(())
    }
}

/// Derives plain output from the frames and digests the exit record.
async fn keep_output(paths: TurnPaths) -> Result<Option<Sha256Digest>, RunnerError> {
    blocking(move || {
        let plain = PlainFiles {
            stdout: paths.stdout(),
            stderr: paths.stderr(),
        };
        derive_plain(&paths.frames(), &plain).map_err(RunnerError::file(
            "derive plain output from",
            paths.frames(),
        ))?;
        let record =
            std::fs::read(paths.exit()).map_err(RunnerError::file("read", paths.exit()))?;
        Ok(Some(Sha256Digest::of(&record)))
    })
    .await
}

fn ended(
    turn: u32,
    report: &TurnReport,
    verdict: &TurnVerdict,
    exit_record: Option<Sha256Digest>,
) -> TurnEnded {
    let record: &ExitRecord = &report.record;
    TurnEnded {
        turn,
        status: verdict.status,
        response_status: verdict.response_status,
        outcome: verdict.outcome,
        outcome_reason: clip(&verdict.outcome_reason, 300),
        summary: verdict.summary.clone(),
        tool_calls: verdict.tool_calls,
        exit_code: match report.exit {
            Exit::Exited { code } => Some(code),
            Exit::Signalled { .. }
            | Exit::Budget { .. }
            | Exit::Stalled { .. }
            | Exit::Stopped { .. }
            | Exit::Fenced {}
            | Exit::NotStarted { .. } => None,
        },
        kill_rung: rung(record).to_owned(),
        containment: contained(record),
        leftovers: u32::try_from(record.leftovers.count).unwrap_or(u32::MAX),
        duration_ms: u64::try_from(record.ended_at.since(record.started_at).as_millis())
            .unwrap_or(u64::MAX),
        output_bytes: record.stdout.seen + record.stderr.seen,
        dropped_bytes: record.stdout.dropped + record.stderr.dropped,
        exit_record,
        failure: verdict.failure.clone(),
    }
}

/// How far a command was kept apart from the machine; nothing if none came to life.
fn contained(record: &ExitRecord) -> Option<Containment> {
    record.main.as_ref()?;
    let reached = record.containment.as_ref();
    Some(reached.map_or(Containment::None, |reached| reached.level))
}

fn rung(record: &ExitRecord) -> &'static str {
    match record.rung {
        Some(Rung::PidNamespace) => "pid_namespace",
        Some(Rung::Subreaper) => "subreaper",
        None => "none",
    }
}

/// What the walker found that a reviewer wants to know.
fn findings(report: &TreeReport) -> Vec<(&'static str, String)> {
    let lists = [
        (
            "nested_repository",
            "a repository in the tree, stored as plain files",
            &report.nested_repositories,
        ),
        (
            "submodule_content",
            "a submodule with content, stored as plain files",
            &report.submodules_with_content,
        ),
        (
            "special_file_skipped",
            "not a file, a directory or a link, so not stored",
            &report.skipped_special,
        ),
        (
            "newly_ignored",
            "ignored now, but not by the base's own rules",
            &report.newly_ignored,
        ),
        (
            "ignore_file_disregarded",
            "too large or complicated to obey",
            &report.disregarded_ignore_files,
        ),
        (
            "ignored_unreadable",
            "ignored and unreadable",
            &report.ignored.unreadable,
        ),
    ];
    let mut findings: Vec<_> = lists
        .into_iter()
        .filter(|(_, _, paths)| !paths.is_empty())
        .map(|(code, what, paths)| {
            (
                code,
                format!("{what}: {}", named(paths.count, &paths.sample)),
            )
        })
        .collect();
    if report.escaped_count > 0 {
        let sample: Vec<_> = report
            .escaped
            .iter()
            .map(|escaped| escaped.path.clone())
            .collect();
        let text = format!(
            "a name git forbids, stored under another: {}",
            named(report.escaped_count, &sample)
        );
        findings.push(("path_escaped", text));
    }
    findings
}

fn named(count: u64, sample: &[PathBytes]) -> String {
    const SHOWN: usize = 10;
    let mut text = sample
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    if count > SHOWN as u64 {
        text.push_str(&format!(" and {} more", count - SHOWN as u64));
    }
    text
}
