//! What the control plane has on record, and the invariants that hold of it whatever was killed when.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dogwatch_bundle::{Verification, load_trusted_keys, verify};
use dogwatch_core::event::{Envelope, Epoch};
use dogwatch_core::ids::{JobId, LeaseId, RunId};
use dogwatch_core::job::{Job, JobEvent, JobStatus};
use dogwatch_core::journal;
use dogwatch_store::{
    JobFilter, Maintenance, PageRequest, Reads, RunFilter, RunView, StoreError, StoredLine,
};
use dogwatch_store_sqlite::{SqliteReader, SqliteStore};
use dogwatch_supervisor::os::clock::{SystemClock, SystemEntropy};
use dogwatch_workspace::{ObjectId, Vault, snapshot};
use tempfile::TempDir;

/// How many items a test may have; more would be cut off by the page.
const ALL: u32 = 200;

/// What is on record.
pub(crate) struct Record {
    data: PathBuf,
    /// The jobs, oldest first.
    pub(crate) jobs: Vec<Job>,
    /// The control stream of each job.
    pub(crate) streams: BTreeMap<JobId, Vec<(Envelope, JobEvent)>>,
    /// The runs, oldest first.
    pub(crate) runs: Vec<RunView>,
    /// The control plane's copy of each journal.
    pub(crate) journals: BTreeMap<RunId, Vec<StoredLine>>,
}

impl Record {
    /// Reads it all, without changing anything.
    #[track_caller]
    pub(crate) fn read(data: &Path) -> Self {
        let reader = SqliteReader::open(&data.join("dogwatch.db")).expect("a database");
        block_on(Self::read_from(data, &reader)).expect("a readable store")
    }

    async fn read_from(data: &Path, reader: &SqliteReader) -> Result<Self, StoreError> {
        let page = PageRequest {
            limit: ALL,
            cursor: None,
        };
        let mut jobs = reader.jobs(JobFilter::default(), page.clone()).await?.items;
        let mut runs = reader.runs(RunFilter::default(), page).await?.items;
        jobs.reverse();
        runs.reverse();
        let mut streams = BTreeMap::new();
        for job in &jobs {
            let mut events = Vec::new();
            loop {
                let lines = reader.events(job.id, events.len() as u64, ALL).await?;
                if lines.is_empty() {
                    break;
                }
                events.extend(lines.iter().map(|line| understand(&line.line)));
            }
            streams.insert(job.id, events);
        }
        let mut journals = BTreeMap::new();
        for run in &runs {
            let mut all = Vec::new();
            loop {
                let lines = reader
                    .run_lines(run.header.id, all.len() as u64, ALL)
                    .await?;
                if lines.is_empty() {
                    break;
                }
                all.extend(lines);
            }
            journals.insert(run.header.id, all);
        }
        Ok(Self {
            data: data.to_owned(),
            jobs,
            streams,
            runs,
            journals,
        })
    }

    /// A job.
    #[track_caller]
    pub(crate) fn job(&self, id: JobId) -> &Job {
        self.jobs
            .iter()
            .find(|job| job.id == id)
            .unwrap_or_else(|| panic!("{id} is lost"))
    }

    /// The one job there is.
    #[track_caller]
    pub(crate) fn only_job(&self) -> &Job {
        assert_eq!(self.jobs.len(), 1, "one job was submitted");
        &self.jobs[0]
    }

    /// The latest run of a job.
    #[track_caller]
    pub(crate) fn last_run(&self, job: JobId) -> RunId {
        let runs = &self.job(job).runs;
        runs.last().expect("a run was started").id
    }

    /// A tree of a run of a job, written out.
    #[track_caller]
    pub(crate) fn restored(&self, job: JobId, tree: &str) -> TempDir {
        let vault = Vault::open(&self.data, self.job(job).project)
            .expect("the vault opens")
            .expect("there is a vault");
        let tree = ObjectId::from_hex(tree.as_bytes()).expect("an object id");
        let place = tempfile::tempdir().expect("a temporary directory");
        snapshot::restore(&vault, tree, place.path()).expect("the tree is in the vault");
        place
    }

    /// Invariants 1 to 6 of the design, for everything on record, and what follows from them for bundles and workspaces.
    #[track_caller]
    pub(crate) fn upholds_invariants(&self, acknowledged: &[JobId]) {
        for id in acknowledged {
            self.invariant_1_an_acknowledged_job_is_never_lost(*id);
        }
        for (job, stream) in &self.streams {
            invariant_2_one_lease_and_epochs_grow(*job, stream);
            invariant_3_completions_carry_the_current_epoch(*job, stream);
            invariant_4_terminal_is_final(*job, stream);
        }
        for run in &self.runs {
            self.invariant_5_journals_are_gapless_and_chained(run);
        }
        self.invariant_6_projections_equal_a_replay();
    }

    #[track_caller]
    fn invariant_1_an_acknowledged_job_is_never_lost(&self, id: JobId) {
        let job = self.job(id);
        let submitted = |(_, event): &(Envelope, JobEvent)| match event {
            JobEvent::Submitted(submitted) => submitted.job == job.id,
            _ => false,
        };
        assert!(self.streams[&id].iter().any(submitted), "{id}");
    }

    #[track_caller]
    fn invariant_5_journals_are_gapless_and_chained(&self, view: &RunView) {
        let run = view.header.id;
        let file = fs::read(self.data.join(format!("runs/{run}/journal.jsonl")))
            .unwrap_or_else(|error| panic!("the journal of {run}: {error}"));
        let closed = view.header.closed.is_some();
        let reading = journal::read(run, &file, closed);
        assert_eq!(reading.findings, [], "{run}");
        for (index, entry) in reading.entries.iter().enumerate() {
            assert_eq!(entry.seq, index as u64 + 1, "{run} has a gap");
            assert_eq!(entry.envelope.epoch, Some(view.header.epoch), "{run}");
        }
        let mut mirror = Vec::new();
        for line in &self.journals[&run] {
            mirror.extend_from_slice(&line.line);
            mirror.push(b'\n');
        }
        assert!(file.starts_with(&mirror), "the copy of {run} is no prefix");
        // What a runner says of a run whose lease has expired is refused, so its last lines are in its own bundle only.
        let expired = self.expired(view.job).contains(&view.header.lease);
        assert!(
            !closed || expired || file == mirror,
            "the copy of {run} is not whole"
        );
    }

    /// The leases of a job that were not renewed.
    fn expired(&self, job: JobId) -> Vec<LeaseId> {
        self.streams[&job]
            .iter()
            .filter_map(|(_, event)| match event {
                JobEvent::LeaseExpired { lease, .. } => Some(*lease),
                _ => None,
            })
            .collect()
    }

    #[track_caller]
    fn invariant_6_projections_equal_a_replay(&self) {
        // A copy, as a rebuild puts right what it finds.
        let copy = tempfile::tempdir().expect("a temporary directory");
        let database = copy.path().join("dogwatch.db");
        for end in ["", "-wal"] {
            let from = self.data.join(format!("dogwatch.db{end}"));
            match fs::copy(&from, copy.path().join(format!("dogwatch.db{end}"))) {
                Err(error) if end.is_empty() => panic!("copy {}: {error}", from.display()),
                _ => {}
            }
        }
        let store = SqliteStore::open(&database, Arc::new(SystemClock), Arc::new(SystemEntropy))
            .expect("the copy opens");
        block_on(async {
            assert_eq!(store.check_chains().await.expect("a check"), [""; 0]);
            let report = store.rebuild().await.expect("a rebuild");
            assert_eq!(report.differences, [""; 0]);
            assert_eq!(report.streams > 0, !self.jobs.is_empty());
        });
    }
}

/// A line of a control stream.
fn understand(line: &[u8]) -> (Envelope, JobEvent) {
    let envelope: Envelope = serde_json::from_slice(line).expect("an envelope");
    let event = JobEvent::from_parts(&envelope.kind, &envelope.data).expect("a known event");
    (envelope, event)
}

#[track_caller]
fn invariant_2_one_lease_and_epochs_grow(job: JobId, stream: &[(Envelope, JobEvent)]) {
    let mut active: Option<(LeaseId, Epoch)> = None;
    let mut latest = Epoch(0);
    for (envelope, event) in stream {
        let ended = match event {
            JobEvent::LeaseGranted { lease } => {
                assert_eq!(active, None, "{job} has two leases at {}", envelope.seq);
                assert!(lease.epoch > latest, "the epoch of {job} did not grow");
                latest = lease.epoch;
                active = Some((lease.id, lease.epoch));
                None
            }
            JobEvent::LeaseReleased { lease, epoch, .. }
            | JobEvent::LeaseExpired { lease, epoch }
            | JobEvent::LeaseRevoked { lease, epoch, .. } => Some((*lease, *epoch)),
            JobEvent::RunCreated { run } => {
                assert_eq!(active, Some((run.lease, run.epoch)), "{job}");
                None
            }
            _ => None,
        };
        if ended.is_some() {
            assert_eq!(active, ended, "{job} at {}", envelope.seq);
            active = None;
        }
    }
}

#[track_caller]
fn invariant_3_completions_carry_the_current_epoch(job: JobId, stream: &[(Envelope, JobEvent)]) {
    let mut current = None;
    let mut runs = BTreeMap::new();
    for (envelope, event) in stream {
        match event {
            JobEvent::LeaseGranted { lease } => current = Some(lease.epoch),
            JobEvent::RunCreated { run } => {
                runs.insert(run.id, run.epoch);
            }
            JobEvent::RunClosed { run, .. } => {
                assert_eq!(runs.get(run), current.as_ref(), "{run} of {job}");
                assert_eq!(envelope.epoch, current, "{run} of {job}");
            }
            _ => {}
        }
    }
}

#[track_caller]
fn invariant_4_terminal_is_final(job: JobId, stream: &[(Envelope, JobEvent)]) {
    let mut over = None;
    for (envelope, event) in stream {
        let allowed = matches!(
            event,
            JobEvent::RunCleanedUp { .. }
                | JobEvent::RunJudged { .. }
                | JobEvent::RunLanded { .. }
                | JobEvent::PolicyDecided(_)
        );
        if let Some(kind) = &over {
            assert!(allowed, "{job} had {kind} and then {}", envelope.kind);
        }
        if matches!(
            event,
            JobEvent::Succeeded {}
                | JobEvent::Failed { .. }
                | JobEvent::TimedOut { .. }
                | JobEvent::Cancelled { .. }
                | JobEvent::Denied { .. }
        ) {
            over = Some(envelope.kind.clone());
        }
    }
}

/// Checks the bundle of a run with the keys of its data directory.
#[track_caller]
pub(crate) fn verification(data: &Path, run: RunId) -> Verification {
    let keys = load_trusted_keys(data).expect("the trusted keys");
    verify(&data.join(format!("runs/{run}")), &keys)
}

/// The state a job is in.
pub(crate) fn status(job: &Job) -> JobStatus {
    job.state.status()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}
