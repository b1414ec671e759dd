//! A run that was parked goes on: the same run, the same attempt, under another lease.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use dogwatch_api::{ClaimedJob, StartRun};
use dogwatch_bundle::BundleLayout;
use dogwatch_config::EffectiveProfile;
use dogwatch_core::contract::Contract;
use dogwatch_core::event::Envelope;
use dogwatch_core::ids::ApprovalId;
use dogwatch_core::job::{Approval, ParkReason, RunHeader};
use dogwatch_core::redact::SecretSet;
use dogwatch_core::run::{GateResult, Phase, RunEvent, Step, restart_hint};
use dogwatch_core::turn::{AgentRequest, GateFeedback, ResponseReading, TurnStatus};
use dogwatch_core::{Sha256Digest, Timestamp};
use dogwatch_gates::GateReport;
use dogwatch_workspace::{Checkout, Vault, fingerprint};

use super::approvals::{self, Requests};
use super::park::TOLD;
use super::prepare::{Place, Prepared, continue_hint};
use super::start::{self, recorder_parts};
use super::workshop::{EarlierWork, included};
use super::{Attempt, Hold};
use crate::error::RunnerError;
use crate::files::blocking;
use crate::patience::Patience;
use crate::project::ProjectRecord;
use crate::recorder::Recorder;
use crate::recover::journal::{self, Standing};
use crate::runner::RunnerParts;
use crate::secrets;

impl<'a> Attempt<'a> {
    /// Takes a parked run up again. The second part is what it works with, or why it cannot go on: the run then ends with that reason.
    pub(super) async fn resume(
        parts: &'a RunnerParts,
        claimed: &ClaimedJob,
        header: RunHeader,
        contract: Contract,
        hold: Hold<'_>,
    ) -> Result<(Self, Result<Place, RunnerError>), RunnerError> {
        let (run, held) = (header.id, hold.held);
        *hold.started = Some(run);
        let patience = Patience::WhileHeld(hold.pulse.clone());
        let request = StartRun {
            held,
            run,
            session: header.session,
            continues: header.continues,
            start_from: header.start_from,
        };
        let started = patience.ask(|| parts.plane.start(request.clone())).await?;
        let lines = patience
            .ask(|| journal::all_lines(&*parts.plane, run))
            .await?;
        let bundle = BundleLayout::new(parts.layout.bundle(run));
        let (standing, writer) = {
            let (bundle, lines, stored) = (bundle.clone(), lines.clone(), claimed.contract.clone());
            blocking(move || {
                let standing = journal::compare(&bundle, &lines)?;
                let writer = journal::restore_journal(&bundle, run, &lines, &stored)?;
                Ok::<_, RunnerError>((standing, writer))
            })
            .await?
        };
        let writer = writer.ok_or_else(|| {
            RunnerError::Fork("the run that should go on has an end already".to_owned())
        })?;
        let recorder = Recorder::resume(
            recorder_parts(parts, claimed, held, run, writer, &patience),
            &lines,
        )?;
        let past = Past::read(&lines, parts.clock.now());
        let kill_rung = recorder
            .state()
            .turns
            .last()
            .and_then(|turn| turn.ended.as_ref())
            .map_or_else(|| "none".to_owned(), |ended| ended.kill_rung.clone());
        let mut attempt = Self {
            parts,
            contract,
            held,
            run,
            number: header.attempt,
            bundle,
            recorder,
            orders: hold.control.orders.subscribe(),
            pulse: hold.pulse,
            patience,
            token: started.token,
            trace: claimed.job.trace.clone(),
            context: claimed.job.context,
            goes_on: None,
            parked: past.parked,
            told: past.told.clone(),
            kill_rung,
            secrets: SecretSet::default(),
            canary: secrets::canary(&*parts.entropy),
            shims: 0,
        };
        attempt.shims = attempt.shims_so_far()?;
        attempt.goes_on = attempt.recall_goes_on(header.continues).await?;
        let waited_for = past
            .waited_for
            .and_then(|approval| claimed.job.approval(approval));
        let because = match (&claimed.job.cancel, waited_for) {
            (Some(cancel), _) => format!("cancelled: {}", cancel.reason),
            (None, Some(approval)) => approvals::answer(approval),
            (None, None) => "due".to_owned(),
        };
        attempt.leave_parked(&because).await?;
        if let Some(cancel) = &claimed.job.cancel {
            attempt
                .recorder
                .record(RunEvent::CancelReceived {
                    reason: dogwatch_core::failure::clip(&cancel.reason, 300),
                })
                .await?;
        }
        let prepared = match standing {
            Standing::Same if attempt.recorder.state().phase == Phase::Preparing => {
                let found = start::found(parts, claimed, &attempt.contract).await;
                attempt.prepare(claimed, found).await
            }
            Standing::Same => attempt
                .prepare_again(claimed, &past)
                .await
                .map(Place::ready),
            Standing::Differs => Err(RunnerError::Fork(
                "this machine's journal of the run is not the one that the control plane has"
                    .to_owned(),
            )),
        };
        Ok((attempt, prepared))
    }

    /// Everything the run works with, from what it left.
    async fn prepare_again(
        &mut self,
        claimed: &ClaimedJob,
        past: &Past,
    ) -> Result<Prepared, RunnerError> {
        let profile = self.fixed_profile().await?;
        let agent = self.agent(&profile)?;
        let base = super::base(&self.contract)?;
        let state = self.recorder.state();
        let snapshot = match &state.snapshot {
            Some(taken) => Some((super::object(&taken.commit)?, super::object(&taken.tree)?)),
            None => None,
        };
        let (first, hint) = (self.first_step(past), self.hint_so_far());
        let feedback = self.feedback_so_far(past)?;
        let earlier = match snapshot {
            Some(_) => None,
            None => self.earlier_work(claimed).await?,
        };
        let left = match snapshot {
            Some((commit, tree)) => Some(EarlierWork {
                run: self.run,
                commit,
                tree,
            }),
            None => earlier.clone(),
        };
        let current_task = self.task_so_far()?;
        let project = claimed.job.project;
        let wanted = self.wanted(project, base, &agent);
        let run = self.run;
        let (checkout, workshop, workspace, included, before, restored) = blocking(move || {
            let record = ProjectRecord::read(&wanted.layout, project)?;
            let checkout = Checkout::discover(&record.directory())?;
            let vault = Vault::open(wanted.layout.root(), project)?.ok_or_else(|| {
                RunnerError::SnapshotMissing {
                    run,
                    reason: "the project's vault is not on this machine".to_owned(),
                }
            })?;
            let workshop = wanted.workshop(vault, &checkout)?;
            let (workspace, restored) = match workshop.open()? {
                Some(workspace) => (workspace, false),
                None => (workshop.make(left.as_ref())?, true),
            };
            let included = match restored {
                true => workshop.include(&checkout, &workspace)?,
                false => included(&workshop.layout, run)?,
            };
            let before = fingerprint::fingerprint(checkout.common_dir())?;
            Ok::<_, RunnerError>((checkout, workshop, workspace, included, before, restored))
        })
        .await?;
        if restored {
            let text = "the workspace was gone and was made again from the last snapshot";
            self.recorder.note("workspace_restored", text).await?;
        }
        self.learn_secrets(&profile, workshop.confinement.as_ref())
            .await?;
        self.fetch_context(workshop.confinement.as_ref()).await?;
        let mut prepared = Prepared {
            checkout,
            vault: workshop.vault.clone(),
            base,
            workspace,
            workshop,
            included,
            agent,
            keep_workspace: self.contract.keep_workspace,
            before,
            current_task,
            feedback,
            hint,
            snapshot,
            origin: earlier.map_or(base, |earlier| earlier.commit),
            first,
        };
        let all: &[Approval] = &claimed.job.approvals;
        if let Requests::Decided(decided) = approvals::requests(all, self.run, &self.told) {
            self.tell(&mut prepared, &decided).await?;
        }
        Ok(prepared)
    }

    /// The configuration that was fixed when the run was started.
    async fn fixed_profile(&self) -> Result<EffectiveProfile, RunnerError> {
        let path = self.bundle.profile();
        let bytes = {
            let path = path.clone();
            blocking(move || fs::read(&path).map_err(RunnerError::file("read", &path))).await?
        };
        let fixed = self.recorder.state().started.as_ref();
        if fixed.is_none_or(|started| started.profile != Sha256Digest::of(&bytes)) {
            return Err(RunnerError::Profile(format!(
                "{} is not the configuration that the run was started with",
                path.display()
            )));
        }
        serde_json::from_slice(&bytes).map_err(|error| RunnerError::Profile(error.to_string()))
    }

    /// What the next turn is about: what the agent wanted next, else what its last turn was about.
    fn task_so_far(&self) -> Result<String, RunnerError> {
        let turn = self.recorder.state().turn_count();
        if turn == 0 {
            return Ok(self.contract.task.clone());
        }
        let paths = self.bundle.turn(turn);
        if let Ok(bytes) = fs::read(paths.response())
            && let ResponseReading::Valid(response) = ResponseReading::parse(&bytes)
            && let Some(task) = response.next_task
        {
            return Ok(task);
        }
        let bytes =
            fs::read(paths.request()).map_err(RunnerError::file("read", paths.request()))?;
        let request: AgentRequest = serde_json::from_slice(&bytes)
            .map_err(std::io::Error::from)
            .map_err(RunnerError::file("understand", paths.request()))?;
        Ok(request.current_task)
    }

    /// What it was about to do when it was parked.
    fn first_step(&self, past: &Past) -> Step {
        let state = self.recorder.state();
        match (past.reason, state.phase) {
            (Some(ParkReason::Disk), Phase::TurnPersisting) => Step::Gates,
            _ => Step::Turn { next_task: None },
        }
    }

    /// What the agent would have been told with its next turn.
    fn hint_so_far(&self) -> Option<String> {
        let state = self.recorder.state();
        match state.turn_count() {
            0 => self.goes_on.as_ref().map(continue_hint),
            turn if state.consecutive_stalls > 0 => Some(restart_hint(turn, &self.contract.limits)),
            _ => None,
        }
    }

    /// What the gates found that the next turn has to mend.
    fn feedback_so_far(&self, past: &Past) -> Result<Vec<GateFeedback>, RunnerError> {
        let read = |gate: &String| {
            let path = self.bundle.gate(gate).result();
            let bytes = fs::read(&path).map_err(RunnerError::file("read", &path))?;
            let report: GateReport = serde_json::from_slice(&bytes)
                .map_err(std::io::Error::from)
                .map_err(RunnerError::file("understand", &path))?;
            Ok(report.feedback())
        };
        past.to_mend.iter().map(read).collect()
    }

    /// How many directories shims have had. Each needs one of its own.
    fn shims_so_far(&self) -> Result<u32, RunnerError> {
        let shims = self.parts.layout.shims(self.run);
        let entries = match fs::read_dir(&shims) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(RunnerError::file("list", &shims)(error)),
        };
        Ok(entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
            .max()
            .unwrap_or(0))
    }
}

/// What a parked run's journal says that its state does not.
#[derive(Debug, Default)]
struct Past {
    /// How long it was parked, up to now.
    parked: Duration,
    /// The approvals whose answer the agent was told.
    told: BTreeSet<ApprovalId>,
    /// The approval it was parked for last.
    waited_for: Option<ApprovalId>,
    /// What it was parked for last.
    reason: Option<ParkReason>,
    /// The gates whose findings no turn has had the chance to mend.
    to_mend: Vec<String>,
}

impl Past {
    fn read(lines: &[Vec<u8>], now: Timestamp) -> Self {
        let mut past = Self::default();
        let mut since = None;
        // An answer that was to begin a turn is told by that turn, and the run may have been parked before it.
        let mut to_tell = BTreeSet::new();
        for line in lines {
            let Ok(envelope) = serde_json::from_slice::<Envelope>(line) else {
                continue;
            };
            match RunEvent::from_parts(&envelope.kind, &envelope.data) {
                Ok(RunEvent::Parked(facts)) => {
                    since = Some(envelope.at);
                    past.waited_for = facts.approval;
                    past.reason = Some(facts.reason);
                }
                Ok(RunEvent::Resumed(_)) => {
                    if let Some(since) = since.take() {
                        past.parked += envelope.at.since(since);
                    }
                }
                Ok(RunEvent::Noted(note)) if note.code == TOLD => {
                    let id = note.text.split_whitespace().next();
                    to_tell.extend(id.and_then(|id| id.parse::<ApprovalId>().ok()));
                }
                Ok(RunEvent::TurnBegun(_)) => past.told.append(&mut to_tell),
                Ok(RunEvent::TurnEnded(ended)) if ended.status != TurnStatus::Stalled => {
                    past.to_mend.clear();
                }
                Ok(RunEvent::GateFinished(gate))
                    if gate.must_pass && gate.result == GateResult::Failed =>
                {
                    past.to_mend.push(gate.gate);
                }
                _ => {}
            }
        }
        if let Some(since) = since {
            past.parked += now.since(since);
        }
        past
    }
}
