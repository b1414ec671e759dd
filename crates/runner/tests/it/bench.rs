//! A control plane, a repository, an agent that is a shell script, and a runner between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dogwatch_api::{Caller, ControlPlane, HeldLease, RequestApproval, Submit, Verdict};
use dogwatch_blobs::{FileBlobs, FileOutput};
use dogwatch_bundle::{KeyStore, load_trusted_keys, verify};
use dogwatch_config::Source;
use dogwatch_core::Clock;
use dogwatch_core::contract::{Containment, ContractContext, ContractDraft};
use dogwatch_core::ids::{ApprovalId, JobId, MachineId, ProjectId, RunId};
use dogwatch_core::job::{Holder, Job, JobStatus};
use dogwatch_core::limits::LeaseLimits;
use dogwatch_core::queue::Offer;
use dogwatch_engine::{Engine, EngineParts, InProcess, TokenKey};
use dogwatch_policy::AllowAll;
use dogwatch_runner::{
    DataLayout, DiskReserve, ProfileInput, ProjectRecord, Runner, RunnerError, RunnerParts, Silent,
    Stop, WorkOptions, Worked,
};
use dogwatch_store_sqlite::SqliteStore;
use dogwatch_supervisor::os::clock::{SystemClock, SystemEntropy};
use dogwatch_supervisor::{ProcessIdentity, ShimProgram};
use dogwatch_testkit::Repo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a condition may take to come true on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(90);

/// What every agent's script begins with.
const PRELUDE: &str = r#"
respond() { printf '{"status":"%s","summary":"s"}' "$1" > "$DOGWATCH_RESPONSE_FILE"; }
wait_for() {
    n=0
    while [ ! -e "$M/$1" ]; do sleep 0.02; n=$((n+1)); [ "$n" -lt 4000 ] || exit 9; done
}
"#;

pub(crate) struct Bench {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) repo: Repo,
    pub(crate) layout: DataLayout,
    pub(crate) project: ProjectId,
    pub(crate) machine: MachineId,
    home: TempDir,
    ticker: JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

/// A runner at work.
pub(crate) struct Working {
    pub(crate) runner: Arc<Runner>,
    pub(crate) stop: watch::Sender<Stop>,
    task: JoinHandle<Result<Worked, RunnerError>>,
}

impl Working {
    /// Lets it end what it has.
    pub(crate) async fn drain(self) -> Worked {
        self.stop.send_replace(Stop::Drain);
        self.ended().await
    }

    /// What it says when it is done by itself.
    pub(crate) async fn ended(self) -> Worked {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the runner ends in time")
            .expect("the runner does not panic")
            .expect("the runner ends well")
    }
}

impl Bench {
    /// The agent runs `script` with `sh`; `$M` is where it and the test meet.
    pub(crate) fn new(script: &str) -> Self {
        Self::with_limits(script, LeaseLimits::default())
    }

    pub(crate) fn with_limits(script: &str, limits: LeaseLimits) -> Self {
        let home = tempfile::tempdir().unwrap();
        let layout = DataLayout::new(home.path().join("data"));
        fs::create_dir_all(layout.root()).unwrap();
        fs::create_dir_all(home.path().join("meeting")).unwrap();
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let store = SqliteStore::open(&layout.database(), clock.clone(), entropy.clone()).unwrap();
        let store = Arc::new(store);
        let engine = Arc::new(Engine::new(EngineParts {
            store: store.clone(),
            blobs: Arc::new(FileBlobs::open(home.path().join("blobs")).unwrap()),
            output: Arc::new(FileOutput::open(home.path().join("output")).unwrap()),
            policy: Arc::new(AllowAll),
            clock: clock.clone(),
            entropy: entropy.clone(),
            limits,
            token_key: TokenKey::from_bytes([7; 32]),
            local: None,
        }));
        let repo = Repo::with_commit();
        let project = ProjectId::mint(&*clock, &*entropy);
        ProjectRecord::remember(&layout, project, repo.path(), clock.now()).unwrap();
        let ticker = tokio::spawn(tick(engine.clone()));
        let bench = Self {
            engine,
            store,
            repo,
            layout,
            project,
            machine: MachineId::mint(&*clock, &*entropy),
            home,
            ticker,
        };
        bench.script(script);
        bench
    }

    /// What the agent does from its next turn on.
    pub(crate) fn script(&self, script: &str) {
        let text = format!("M='{}'\n{PRELUDE}\n{script}\n", self.meeting("").display());
        fs::write(self.home.path().join("agent.sh"), text).unwrap();
    }

    /// A place that agent and test meet at.
    pub(crate) fn meeting(&self, name: &str) -> PathBuf {
        self.home.path().join("meeting").join(name)
    }

    /// Makes a file that the agent waits for.
    pub(crate) fn touch(&self, name: &str) {
        fs::write(self.meeting(name), "").unwrap();
    }

    pub(crate) async fn met(&self, name: &str) {
        let path = self.meeting(name);
        until(&format!("the agent makes {name}"), async || path.exists()).await;
    }

    pub(crate) fn user(&self) -> InProcess {
        InProcess::new(self.engine.clone(), Caller::local_user("user:test"))
    }

    pub(crate) fn plane(&self) -> InProcess {
        InProcess::new(self.engine.clone(), Caller::local_runner("runner:test"))
    }

    pub(crate) fn system(&self) -> InProcess {
        let mut caller = Caller::system();
        caller.scopes.insert(dogwatch_api::Scope::Runner);
        InProcess::new(self.engine.clone(), caller)
    }

    pub(crate) fn parts(&self, plane: Arc<dyn ControlPlane>) -> RunnerParts {
        let config = format!(
            "[agents.scripted]\ndriver = \"exec\"\ncommand = [\"sh\", {}]\n",
            json!(self.home.path().join("agent.sh"))
        );
        let own = ProcessIdentity::of_self().unwrap();
        RunnerParts {
            plane,
            recoverer: None,
            channel: Some("/run/agent.sock".into()),
            remote: false,
            layout: self.layout.clone(),
            machine: self.machine,
            name: "box".to_owned(),
            offer: Offer::anything(self.machine),
            capabilities: Vec::new(),
            holder: Some(Holder {
                boot_id: own.boot_id,
                pid: own.pid,
                start_time: own.start_time,
            }),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            launcher: ShimProgram::new(env!("CARGO_BIN_EXE_dogwatch-shim-for-runner-tests")),
            keys: Arc::new(KeyStore::open(self.layout.root()).unwrap()),
            profile: ProfileInput {
                user: Some(Source {
                    path: "config.toml".to_owned(),
                    text: config,
                }),
                ..ProfileInput::default()
            },
            // The machine that this runs on may be as full as it likes.
            reserve: DiskReserve {
                bytes: Some(0),
                retry: Duration::from_millis(100),
            },
            version: "0.0.0".to_owned(),
            observer: Arc::new(Silent),
        }
    }

    /// A runner with one slot that hears of work as fast as it can.
    pub(crate) fn work(&self) -> Working {
        self.work_over(Arc::new(self.plane()), options())
    }

    pub(crate) fn work_over(&self, plane: Arc<dyn ControlPlane>, options: WorkOptions) -> Working {
        self.work_with(self.parts(plane), options)
    }

    pub(crate) fn work_with(&self, parts: RunnerParts, options: WorkOptions) -> Working {
        let runner = Arc::new(Runner::new(parts));
        let (stop, stopped) = watch::channel(Stop::GoOn);
        let at_work = runner.clone();
        let task = tokio::spawn(async move { at_work.work(options, stopped).await });
        Working { runner, stop, task }
    }

    pub(crate) fn request(&self, contract: Value) -> Submit {
        let mut json = json!({
            "schema": 1, "task": "do it", "agent": "scripted", "allow_empty": true,
        });
        for (key, value) in contract.as_object().unwrap() {
            json[key] = value.clone();
        }
        let context = ContractContext {
            base_commit: self.repo.head(),
            containment: Containment::None,
            ..ContractContext::default()
        };
        let draft = ContractDraft::from_json(&json.to_string()).unwrap();
        let stored = draft
            .expand(&context)
            .unwrap()
            .contract
            .to_stored()
            .unwrap();
        Submit {
            project: self.project,
            session: None,
            exact: false,
            topic: "task".to_owned(),
            contract: stored.bytes,
            contract_hash: stored.hash,
            priority: 0,
            not_before: None,
            deadline: None,
            context: None,
            idempotency_key: None,
            trace: None,
        }
    }

    pub(crate) async fn submit(&self) -> JobId {
        let request = self.request(json!({}));
        self.user().submit(request).await.unwrap().job_id
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.user().job(id).await.unwrap().job
    }

    /// The job once it is in that state.
    pub(crate) async fn job_in(&self, id: JobId, status: JobStatus) -> Job {
        let within = Instant::now();
        loop {
            let job = self.job(id).await;
            if job.state.status() == status {
                return job;
            }
            let over = job.state.status().is_terminal() || within.elapsed() > PATIENCE;
            assert!(!over, "the job is not {status} but {:?}", job.state);
            pause().await;
        }
    }

    /// The agent of a running job asks a person.
    pub(crate) async fn ask(&self, job: JobId) -> ApprovalId {
        let job = self.job(job).await;
        let lease = job.active_lease().unwrap();
        let request = RequestApproval {
            held: Some(HeldLease {
                job: job.id,
                lease: lease.id,
                epoch: lease.epoch,
            }),
            run: job.open_run().unwrap().id,
            id: None,
            action: json!({"tool": "deploy", "to": "production"}),
            reason: "it is time".to_owned(),
            ttl_ms: None,
        };
        let asked = self.plane().request_approval(request).await.unwrap();
        asked.approval.id
    }

    pub(crate) async fn decide(&self, approval: ApprovalId, verdict: Verdict, note: &str) {
        let request = dogwatch_api::DecideApproval {
            approval,
            verdict,
            note: Some(note.to_owned()),
        };
        self.user().decide_approval(request).await.unwrap();
    }

    /// Every sealed bundle has to verify.
    #[track_caller]
    pub(crate) fn assert_sealed(&self, run: RunId) {
        let keys = load_trusted_keys(self.layout.root()).unwrap();
        let verification = verify(&self.layout.bundle(run), &keys);
        assert!(verification.valid, "{:?}", verification.findings);
    }

    /// A file of the tree a run left.
    pub(crate) fn file_in(&self, tree: &str, path: &str) -> Option<String> {
        let vault = self
            .layout
            .root()
            .join("vaults")
            .join(format!("{}.git", self.project));
        let shown = self.repo.git([
            "--git-dir",
            vault.to_str().unwrap(),
            "show",
            &format!("{tree}:{path}"),
        ]);
        (shown.code == Some(0)).then(|| String::from_utf8(shown.stdout).unwrap())
    }
}

/// A runner that does not wait long for anything.
pub(crate) fn options() -> WorkOptions {
    WorkOptions {
        poll_interval: Duration::from_millis(200),
        ..WorkOptions::default()
    }
}

/// The sweep of a server, more often than usual.
async fn tick(engine: Arc<Engine>) {
    let started = Instant::now();
    loop {
        let _ = engine.tick(started.elapsed()).await;
        // SLEEP: a sweep is something that happens from time to time.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn pause() {
    // SLEEP: between two looks at a condition.
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        pause().await;
    }
}

/// Every file below a directory.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
