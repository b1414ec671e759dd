//! After a crash: what a dead runner on this machine left behind is ended, kept, sealed and reported, before anything new starts.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{
    CleanUpRun, CompleteRun, ControlPlane, HeldLease, ListRuns, Problem, ReleaseJob, RevokeLease,
    RunDetail,
};
use dogwatch_bundle::{BundleLayout, JournalWriter, SealError, seal};
use dogwatch_config::EffectiveProfile;
use dogwatch_core::contract::{Contract, StoredContract};
use dogwatch_core::event::Envelope;
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::{
    Assurance, Cleanup, CleanupState, Job, JobStatus, Lease, RunClosure, RunHeader, RunOutcome,
};
use dogwatch_core::run::{
    Phase, RunEnded, RunEvent, RunStarted, RunState, SURFACE_UNATTENDED, SnapshotTaken,
};
use dogwatch_core::{Sha256Digest, Timestamp};
use dogwatch_supervisor::{ProcessIdentity, ShimFile};
use dogwatch_workspace::tree::TreeLimits;
use dogwatch_workspace::{ObjectId, SnapshotError, SnapshotRequest, Trash, Vault, snapshot};

use crate::crash_point::crash_point;
use crate::error::RunnerError;
use crate::evidence::{Known, manifest_facts, write_patch};
use crate::files::{blocking, make_private, write_durably};
use crate::project::ProjectRecord;
use crate::recorder::{Recorder, RecorderParts};
use crate::runner::RunnerParts;

/// How long a left-over shim gets to end its tree before it is killed, and its namespace with it.
const SHIM_GRACE: Duration = Duration::from_secs(5);

/// The label of the snapshot of what a dead runner left, and the one for when that cannot be written.
const ORPHAN: [&str; 2] = ["orphan", "orphan-again"];

/// One lease that was recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The job.
    pub job: JobId,
    /// Its run, if one had been started.
    pub run: Option<RunId>,
    /// How the run ended.
    pub outcome: Option<RunOutcome>,
    /// Where the job stands now.
    pub status: JobStatus,
}

/// What recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The leases.
    pub recovered: Vec<Recovered>,
    /// The workspaces of closed runs that were still there.
    pub cleaned: u32,
}

/// Ends what dead holders left behind. `leases` are the active ones; those whose holder lives are left alone.
pub async fn recover(
    parts: &RunnerParts,
    leases: Vec<(JobId, Lease)>,
) -> Result<Recovery, RunnerError> {
    let mut recovery = Recovery::default();
    for (job, lease) in leases {
        if lease.machine == parts.machine && !holder_lives(&lease)? {
            let job = parts.plane.job(job).await?;
            recovery
                .recovered
                .push(recover_lease(parts, &job, &lease).await?);
        }
    }
    recovery.cleaned = clean_closed(parts).await?;
    let data = parts.layout.root().to_owned();
    if let Err(error) = blocking(move || Trash::of(&data).sweep()).await {
        // What cannot be deleted now is in nobody's way; the next start tries again.
        tracing::warn!(%error, "the trash was not emptied");
    }
    Ok(recovery)
}

/// Whether a lease's holder lives. Without a holder it belongs to another machine's process, which only the reaper may judge.
fn holder_lives(lease: &Lease) -> Result<bool, RunnerError> {
    let Some(holder) = &lease.holder else {
        return Ok(true);
    };
    let identity = ProcessIdentity {
        boot_id: holder.boot_id.clone(),
        pid: holder.pid,
        start_time: holder.start_time,
    };
    identity
        .is_alive()
        .map_err(std::io::Error::other)
        .map_err(RunnerError::file("look for the holder in", "/proc"))
}

async fn recover_lease(
    parts: &RunnerParts,
    job: &Job,
    lease: &Lease,
) -> Result<Recovered, RunnerError> {
    let held = HeldLease {
        job: job.id,
        lease: lease.id,
        epoch: lease.epoch,
    };
    let Some(header) = job.open_run().cloned() else {
        let job = parts
            .plane
            .release(ReleaseJob {
                held,
                reason: "holder_dead".to_owned(),
            })
            .await?;
        return Ok(Recovered {
            job: job.id,
            run: None,
            outcome: None,
            status: job.state.status(),
        });
    };
    let run = header.id;
    end_shims(&parts.layout.shims(run)).await?;
    let stored = parts.plane.contract(job.contract).await?;
    let contract = StoredContract::parse(&stored, job.contract)
        .map_err(|error| RunnerError::Profile(error.to_string()))?;
    let mut orphan = Orphan::open(parts, job, header, held, contract, stored).await?;
    crash_point!("recover.journal_restored");
    let ended = orphan.end().await?;
    orphan.recorder.close();
    crash_point!("recover.before_seal");
    let sealed = match orphan.seal().await {
        Ok(manifest) => Ok(manifest),
        Err(RunnerError::Seal(error)) if is_beyond_repair(&error) => Err(error),
        Err(error) => return Err(error),
    };
    crash_point!("recover.after_seal");
    let closure = closure(ended, sealed, parts.clock.now());
    let status = report(&*parts.plane, held, run, closure.clone()).await?;
    crash_point!("recover.before_clean_up");
    // The workspace is removed only once its last snapshot is in the vault; otherwise it stays for a person to look at.
    let workspace = parts.layout.workspace(run);
    let wanted = workspace.exists() && wants_workspace(orphan.bundle.root());
    if orphan.kept && !wanted {
        remove_work(parts, job.id, run).await?;
    } else {
        keep_work(parts, job.id, run).await?;
    }
    Ok(Recovered {
        job: job.id,
        run: Some(run),
        outcome: Some(closure.outcome),
        status,
    })
}

/// Whether a bundle can never be sealed again, because what stands in it is not what belongs there.
const fn is_beyond_repair(error: &SealError) -> bool {
    matches!(
        error,
        SealError::Foreign { .. }
            | SealError::Missing(_)
            | SealError::WrongContent(_)
            | SealError::Journal(_)
            | SealError::TooLarge { .. }
            | SealError::OtherRun { .. }
            | SealError::Invalid(_)
    )
}

/// How a run is closed. Where its evidence cannot be sealed any more, nothing is believed of it, and nothing else waits for it.
fn closure(ended: RunEnded, sealed: Result<Sha256Digest, SealError>, at: Timestamp) -> RunClosure {
    match sealed {
        Ok(manifest) => RunClosure {
            outcome: ended.outcome,
            failure: ended.failure,
            tree: ended.tree,
            assurance: ended.assurance,
            manifest: Some(manifest),
            turns: ended.turns,
            at,
        },
        Err(error) => RunClosure {
            outcome: RunOutcome::Orphaned,
            failure: Some(Failure::new(
                FailureClass::Infrastructure,
                "evidence_lost",
                "recovery",
                format!("its evidence cannot be sealed: {error}"),
                "look at the bundle and at who else writes to the data directory",
            )),
            tree: ended.tree,
            assurance: Assurance::None,
            manifest: None,
            turns: ended.turns,
            at,
        },
    }
}

/// A run whose outcome stood in the journal is completed; any other is orphaned by taking its lease away.
async fn report(
    plane: &dyn ControlPlane,
    held: HeldLease,
    run: RunId,
    closure: RunClosure,
) -> Result<JobStatus, Problem> {
    if closure.outcome == RunOutcome::Orphaned {
        let revoked = plane
            .revoke(RevokeLease {
                job: held.job,
                lease: held.lease,
                closure,
                reason: "holder_dead".to_owned(),
            })
            .await?;
        Ok(revoked.status)
    } else {
        let job = plane.complete(CompleteRun { held, run, closure }).await?;
        Ok(job.state.status())
    }
}

/// Ends every shim a run left running. No two process trees of one job ever live at once.
async fn end_shims(shims: &Path) -> Result<(), RunnerError> {
    let shims = shims.to_owned();
    blocking(move || {
        let entries = match fs::read_dir(&shims) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(RunnerError::file("list", &shims)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(RunnerError::file("list", &shims))?;
            let directory = entry.path();
            let file = ShimFile::read(&directory)
                .map_err(std::io::Error::other)
                .map_err(RunnerError::file("read the shim of", &directory))?;
            let Some(file) = file else { continue };
            file.shim
                .terminate(SHIM_GRACE)
                .map_err(std::io::Error::other)
                .map_err(RunnerError::file("end the shim of", &directory))?;
        }
        Ok(())
    })
    .await
}

/// A run whose runner is dead.
struct Orphan<'a> {
    parts: &'a RunnerParts,
    job: &'a Job,
    header: RunHeader,
    contract: Contract,
    bundle: BundleLayout,
    recorder: Recorder,
    vault: Option<Vault>,
    base: ObjectId,
    /// Whether what the agent left is safely in the vault.
    kept: bool,
}

impl<'a> Orphan<'a> {
    /// Puts the control plane's copy of the journal in the place of the local one; lines that never arrived become an artifact.
    async fn open(
        parts: &'a RunnerParts,
        job: &'a Job,
        header: RunHeader,
        held: HeldLease,
        contract: Contract,
        stored: Vec<u8>,
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
                plane: parts.plane.clone(),
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
            recorder,
            vault,
            base,
            kept: false,
        })
    }

    /// Keeps what the agent left and writes the outcome, unless the run had come to one.
    async fn end(&mut self) -> Result<RunEnded, RunnerError> {
        let state = self.recorder.state();
        if let Some(ended) = state.ended.clone() {
            self.kept = is_kept(state);
            return Ok(ended);
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
            blocking(move || write_patch(&vault, base, tree, &bundle)).await?;
        }
        let ended = RunEnded {
            outcome: RunOutcome::Orphaned,
            failure: Some(Failure::new(
                FailureClass::Lease,
                "lease_lost",
                "recovery",
                format!("the process that ran it died ({checkpoint})"),
                "nothing: the job is queued again; what the agent wrote is kept",
            )),
            tree,
            assurance: Assurance::None,
            turns,
        };
        self.recorder.record(RunEvent::Ended(ended.clone())).await?;
        Ok(ended)
    }

    async fn keep(&mut self) -> Result<(), RunnerError> {
        let workspace = self.parts.layout.workspace(self.header.id);
        let (true, Some(vault)) = (workspace.exists(), self.vault.clone()) else {
            self.kept = true;
            return Ok(());
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
        let (base, run) = (self.base, self.header.id);
        // On record, so that a recovery that is killed and done again makes the same commit again.
        let at = state
            .phase_started_at
            .unwrap_or_else(|| self.parts.clock.now());
        let taken = blocking(move || {
            let message = format!("{run} as its runner left it\n\nDogwatch-Run: {run}\n");
            let take = |label| {
                let request = SnapshotRequest {
                    workspace: &workspace,
                    base,
                    run,
                    label,
                    parent,
                    message: &message,
                    at,
                    limits: TreeLimits::default(),
                };
                snapshot::create(&vault, &request).map(|taken| (label, taken))
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
            Err(error) => {
                let error = RunnerError::from(error);
                let text = format!(
                    "the workspace is kept, because it could not be read: {}",
                    error.chain()
                );
                self.recorder.note("snapshot_failed", text).await
            }
        }
    }

    async fn seal(&self) -> Result<Sha256Digest, RunnerError> {
        let project = ProjectRecord::read(&self.parts.layout, self.job.project).ok();
        let directory = project.map(|project| project.directory());
        let profile = fs::read(self.bundle.profile())
            .map_err(RunnerError::file("read", self.bundle.profile()))?;
        let command = serde_json::from_slice::<EffectiveProfile>(&profile)
            .map_or_else(|_| Vec::new(), |profile| profile.agent.command);
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

async fn all_lines(plane: &dyn ControlPlane, run: RunId) -> Result<Vec<Vec<u8>>, Problem> {
    let mut lines = Vec::new();
    loop {
        let more = plane.run_lines(run, lines.len() as u64).await?;
        if more.is_empty() {
            return Ok(lines);
        }
        lines.extend(more);
    }
}

/// The journal as the control plane has it, open for more unless it has its last line.
fn restore_journal(
    bundle: &BundleLayout,
    run: RunId,
    lines: &[Vec<u8>],
    contract: &[u8],
) -> Result<Option<JournalWriter>, RunnerError> {
    let over = lines.last().is_some_and(|line| is_end(line));
    if over && bundle.manifest().exists() {
        // Sealed, or about to be: nothing may change any more, and sealing again checks that nothing did.
        return Ok(None);
    }
    for directory in [
        bundle.root().to_owned(),
        bundle.turns(),
        bundle.gates(),
        bundle.reports(),
    ] {
        make_private(&directory)?;
    }
    // These are written before the first line, so they can only be missing where the run had hardly begun.
    for (path, bytes) in [
        (bundle.contract(), contract),
        (
            bundle.profile(),
            &b"{\"error\":\"the runner died before it fixed the configuration\"}"[..],
        ),
    ] {
        // Without a first line the crash may have cut them off.
        let torn = lines.is_empty() && path == bundle.contract();
        if torn || !path.exists() {
            write_durably(&path, bytes)?;
        }
    }
    let path = bundle.journal();
    let local = match fs::read(&path) {
        Ok(local) => local,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(RunnerError::file("read", &path)(error)),
    };
    let mut server = Vec::new();
    for line in lines {
        server.extend_from_slice(line);
        server.push(b'\n');
    }
    if local != server {
        let late = match local.strip_prefix(server.as_slice()) {
            Some(late) => late,
            // The control plane's copy is the truth; whatever else stands here is kept as it is.
            None => &local,
        };
        if !late.is_empty() {
            keep_late_lines(&bundle.root().join("journal.late.jsonl"), late)?;
        }
        let draft = path.with_extension("jsonl.new");
        write_durably(&draft, &server)?;
        fs::rename(&draft, &path).map_err(RunnerError::file("rename", &draft))?;
    }
    if over {
        return Ok(None);
    }
    Ok(Some(JournalWriter::open(path, run)?))
}

fn is_end(line: &[u8]) -> bool {
    serde_json::from_slice::<Envelope>(line)
        .ok()
        .and_then(|envelope| RunEvent::from_parts(&envelope.kind, &envelope.data).ok())
        .is_some_and(|event| matches!(event, RunEvent::Ended(_)))
}

/// Adds to what an earlier recovery kept, which may itself have been cut short.
fn keep_late_lines(path: &Path, late: &[u8]) -> Result<(), RunnerError> {
    let mut kept = match fs::read(path) {
        Ok(kept) => kept,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(RunnerError::file("read", path)(error)),
    };
    if !kept.ends_with(late) {
        kept.extend_from_slice(late);
    }
    let draft = path.with_extension("jsonl.new");
    write_durably(&draft, &kept)?;
    fs::rename(&draft, path).map_err(RunnerError::file("rename", &draft))
}

/// Finishes the clean-up of runs that are over: those that still have a work directory, and the newest ones, as a crash may have come
/// after the removal and before its record.
async fn clean_closed(parts: &RunnerParts) -> Result<u32, RunnerError> {
    let mut cleaned = 0;
    for run in work_directories(parts)? {
        if let Ok(detail) = parts.plane.run(run).await {
            cleaned += u32::from(finish_clean_up(parts, &detail).await?);
        }
    }
    for detail in parts.plane.list_runs(ListRuns::default()).await?.items {
        cleaned += u32::from(finish_clean_up(parts, &detail).await?);
    }
    Ok(cleaned)
}

fn work_directories(parts: &RunnerParts) -> Result<Vec<RunId>, RunnerError> {
    let work = parts.layout.root().join("work");
    let entries = match fs::read_dir(&work) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(RunnerError::file("list", &work)(error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(RunnerError::file("list", &work))?;
        let name = entry.file_name();
        runs.extend(name.to_str().and_then(|name| name.parse::<RunId>().ok()));
    }
    Ok(runs)
}

/// Whether a workspace was removed.
async fn finish_clean_up(parts: &RunnerParts, detail: &RunDetail) -> Result<bool, RunnerError> {
    let (run, header) = (detail.id, &detail.header);
    let due = header.closed.is_some()
        && header.machine == parts.machine
        && header.cleanup.state == CleanupState::Pending;
    if !due {
        return Ok(false);
    }
    let wanted = !is_kept(&detail.state) || wants_workspace(&parts.layout.bundle(run));
    if wanted && parts.layout.workspace(run).exists() {
        keep_work(parts, detail.job, run).await?;
        Ok(false)
    } else {
        remove_work(parts, detail.job, run).await?;
        Ok(true)
    }
}

/// Whether what the agent left is in the vault, so that its workspace is not needed for it.
fn is_kept(state: &RunState) -> bool {
    let turns = state.turn_count();
    turns == 0
        || state
            .snapshot
            .as_ref()
            .is_some_and(|snapshot| snapshot.turn == turns)
}

/// Whether the run's own configuration asks for its workspace to be kept. What cannot be read is kept.
fn wants_workspace(bundle: &Path) -> bool {
    fs::read(BundleLayout::new(bundle).profile())
        .ok()
        .and_then(|bytes| serde_json::from_slice::<EffectiveProfile>(&bytes).ok())
        .is_none_or(|profile| profile.run.keep_workspace)
}

async fn keep_work(parts: &RunnerParts, job: JobId, run: RunId) -> Result<(), RunnerError> {
    let cleanup = Cleanup {
        state: CleanupState::Kept,
        ..Cleanup::PENDING
    };
    parts
        .plane
        .clean_up(CleanUpRun { job, run, cleanup })
        .await?;
    Ok(())
}

async fn remove_work(parts: &RunnerParts, job: JobId, run: RunId) -> Result<(), RunnerError> {
    let (data, work) = (parts.layout.root().to_owned(), parts.layout.work(run));
    let removed = blocking(move || Trash::of(&data).remove(&work)).await;
    let cleanup = match removed {
        Ok(()) => Cleanup {
            state: CleanupState::Removed,
            ..Cleanup::PENDING
        },
        Err(error) => Cleanup {
            state: CleanupState::Failed,
            hook_error: None,
            removal_error: Some(dogwatch_core::failure::clip(&error.to_string(), 600)),
        },
    };
    parts
        .plane
        .clean_up(CleanUpRun { job, run, cleanup })
        .await?;
    Ok(())
}
