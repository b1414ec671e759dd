//! A control plane over a fresh database, and the steps every test takes.

use std::sync::Arc;

use dogwatch_api::{
    AppendEvents, Caller, Claim, ClaimedJob, CompleteRun, ControlPlane, HeldLease, StartRun,
    Started, Submit, SyncRunner,
};
use dogwatch_blobs::{FileBlobs, FileOutput};
use dogwatch_core::contract::{Contract, ContractContext, ContractDraft, StoredContract};
use dogwatch_core::event::{Actor, StreamId, Via};
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::{ClaimId, EventId, JobId, MachineId, ProjectId, RunId};
use dogwatch_core::job::{Assurance, Job, RunClosure, RunOutcome, StartFrom};
use dogwatch_core::journal::{JournalDraft, JournalHead};
use dogwatch_core::limits::LeaseLimits;
use dogwatch_core::queue::Offer;
use dogwatch_core::run::{Phase, RunEnded, RunEvent, RunStarted, SURFACE_UNATTENDED};
use dogwatch_core::{Clock, Entropy, Sha256Digest};
use dogwatch_engine::{Engine, EngineParts, InProcess, LocalToken, TokenKey};
use dogwatch_policy::{AllowAll, PolicyDecider};
use dogwatch_store_sqlite::SqliteStore;
use dogwatch_testkit::{SeqEntropy, SimClock};
use tempfile::TempDir;

/// The secret of the server process itself.
pub(crate) const LOCAL_SECRET: &str = "the-secret-of-the-endpoint-file";

pub(crate) struct Bench {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: SimClock,
    pub(crate) entropy: Arc<SeqEntropy>,
    pub(crate) project: ProjectId,
    pub(crate) machine: MachineId,
    policy: Arc<dyn PolicyDecider>,
    dir: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::under(Arc::new(AllowAll))
    }

    pub(crate) fn under(policy: Arc<dyn PolicyDecider>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = SimClock::new();
        let entropy = Arc::new(SeqEntropy::new());
        let store = SqliteStore::open(
            &dir.path().join("dogwatch.db"),
            Arc::new(clock.clone()),
            entropy.clone(),
        )
        .unwrap();
        let store = Arc::new(store);
        let engine = engine(&dir, &store, &clock, &entropy, &policy);
        let project = ProjectId::mint(&clock, &*entropy);
        let machine = MachineId::mint(&clock, &*entropy);
        Self {
            engine,
            store,
            clock,
            entropy,
            project,
            machine,
            policy,
            dir,
        }
    }

    /// Another process on the same data: it knows nothing but what is stored.
    pub(crate) fn restart(&mut self) {
        self.engine = engine(
            &self.dir,
            &self.store,
            &self.clock,
            &self.entropy,
            &self.policy,
        );
    }

    pub(crate) fn user(&self) -> InProcess {
        self.caller(Caller::local_user("user:test"))
    }

    pub(crate) fn runner(&self) -> InProcess {
        self.caller(Caller::local_runner("runner:test"))
    }

    pub(crate) fn system(&self) -> InProcess {
        self.caller(Caller::system())
    }

    pub(crate) fn caller(&self, caller: Caller) -> InProcess {
        InProcess::new(self.engine.clone(), caller)
    }

    pub(crate) fn contract(&self, task: &str, max_attempts: u32) -> Contract {
        let json = serde_json::json!({
            "schema": 1, "task": task, "agent": "scripted", "retry": {"max_attempts": max_attempts},
        });
        let draft = ContractDraft::from_json(&json.to_string()).unwrap();
        draft.expand(&context()).unwrap().contract
    }

    pub(crate) fn request(&self, task: &str) -> Submit {
        self.request_with(task, 1)
    }

    pub(crate) fn request_with(&self, task: &str, max_attempts: u32) -> Submit {
        let stored = self.contract(task, max_attempts).to_stored().unwrap();
        self.request_under(stored)
    }

    /// A request under a contract with more fields than the usual ones.
    pub(crate) fn request_with_review(&self, review: serde_json::Value) -> Submit {
        let json = serde_json::json!({
            "schema": 1, "task": "one", "agent": "scripted", "retry": {"max_attempts": 2}, "review": review,
        });
        let draft = ContractDraft::from_json(&json.to_string()).unwrap();
        let contract = draft.expand(&context()).unwrap().contract;
        self.request_under(contract.to_stored().unwrap())
    }

    fn request_under(&self, stored: StoredContract) -> Submit {
        Submit {
            project: self.project,
            session: None,
            exact: false,
            context: None,
            topic: "task".to_owned(),
            contract: stored.bytes,
            contract_hash: stored.hash,
            priority: 0,
            not_before: None,
            deadline: None,
            idempotency_key: None,
            trace: None,
        }
    }

    pub(crate) async fn submitted(&self, task: &str) -> JobId {
        self.user().submit(self.request(task)).await.unwrap().job_id
    }

    pub(crate) fn claim_request(&self, job: Option<JobId>, max: u32) -> Claim {
        Claim {
            claim_id: ClaimId::mint(&self.clock, &*self.entropy as &dyn Entropy),
            machine: self.machine,
            holder: None,
            job,
            max,
            wait_ms: 0,
        }
    }

    /// What the machine says of itself.
    pub(crate) fn sync_request(&self, offer: Offer) -> SyncRunner {
        SyncRunner {
            protocol: 1,
            name: "box".to_owned(),
            version: "0.1.0".to_owned(),
            offer,
            slots: 1,
            capabilities: Vec::new(),
        }
    }

    /// The job as it stands.
    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.user().job(id).await.unwrap().job
    }

    /// A job that runs, and the token of its agent.
    pub(crate) async fn running(&self, task: &str) -> Running {
        let job = self.submitted(task).await;
        self.taken(job).await
    }

    /// The same for a job that is there.
    pub(crate) async fn taken(&self, job: JobId) -> Running {
        let (_, held) = self.claimed(job).await;
        let started = self.started_with_token(held).await;
        Running {
            job,
            held,
            run: started.run.id,
            token: started.token,
        }
    }

    /// Ends a run with its whole journal, and gives the job as it stands then.
    pub(crate) async fn ended(&self, running: &Running, outcome: RunOutcome) -> Job {
        let (held, run) = (running.held, running.run);
        let lines = self.journal(held, run, outcome);
        let runner = self.runner();
        let append = AppendEvents { held, run, lines };
        runner.append_events(append).await.unwrap();
        let completion = self.completion(held, run, outcome);
        runner.complete(completion).await.unwrap()
    }

    pub(crate) async fn claimed(&self, job: JobId) -> (ClaimedJob, HeldLease) {
        let request = self.claim_request(Some(job), 1);
        let claimed = self.runner().claim(request).await.unwrap().jobs.remove(0);
        let held = HeldLease {
            job,
            lease: claimed.lease.id,
            epoch: claimed.lease.epoch,
        };
        (claimed, held)
    }

    pub(crate) async fn started(&self, held: HeldLease) -> RunId {
        self.started_with_token(held).await.run.id
    }

    async fn started_with_token(&self, held: HeldLease) -> Started {
        let run = RunId::mint(&self.clock, &*self.entropy as &dyn Entropy);
        let request = StartRun {
            held,
            run,
            session: None,
            continues: None,
            start_from: StartFrom::Base,
        };
        self.runner().start(request).await.unwrap()
    }

    /// The lines of a whole, short journal that ends with `outcome`.
    pub(crate) fn journal(&self, held: HeldLease, run: RunId, outcome: RunOutcome) -> Vec<Vec<u8>> {
        let facts = [
            RunEvent::Started(RunStarted {
                attempt: 1,
                contract: Sha256Digest::of(b"contract"),
                profile: Sha256Digest::of(b"profile"),
                base: "a".repeat(40),
                agent: "scripted".to_owned(),
                driver: "exec".to_owned(),
                session_id: None,
                continues: None,
                start_from: StartFrom::Base,
                surface: SURFACE_UNATTENDED.to_owned(),
            }),
            RunEvent::PhaseEntered {
                phase: Phase::Sealing,
            },
            RunEvent::Ended(RunEnded {
                outcome,
                failure: failure(outcome),
                tree: None,
                assurance: Assurance::None,
                turns: 0,
            }),
        ];
        let mut head = JournalHead {
            seq: 0,
            link: StreamId::Run(run).genesis(),
        };
        facts
            .into_iter()
            .map(|fact| {
                let (kind, data) = fact.into_parts();
                let draft = JournalDraft {
                    id: EventId::mint(&self.clock, &*self.entropy as &dyn Entropy),
                    kind,
                    at: self.clock.now(),
                    actor: Actor::new("runner:test", Via::Runner),
                    cause: None,
                    trace: None,
                    project: self.project,
                    job: Some(held.job),
                    epoch: Some(held.epoch),
                    data,
                };
                let sealed = draft.into_envelope(run, head).seal().unwrap();
                head = JournalHead {
                    seq: sealed.envelope.seq,
                    link: sealed.head,
                };
                sealed.line
            })
            .collect()
    }

    pub(crate) fn completion(
        &self,
        held: HeldLease,
        run: RunId,
        outcome: RunOutcome,
    ) -> CompleteRun {
        CompleteRun {
            held,
            run,
            closure: RunClosure {
                outcome,
                failure: failure(outcome),
                tree: None,
                assurance: Assurance::None,
                manifest: None,
                turns: 0,
                at: self.clock.now(),
            },
        }
    }
}

/// A run under way.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) job: JobId,
    pub(crate) held: HeldLease,
    pub(crate) run: RunId,
    pub(crate) token: String,
}

fn context() -> ContractContext {
    ContractContext {
        base_commit: "a".repeat(40),
        ..ContractContext::default()
    }
}

fn engine(
    dir: &TempDir,
    store: &Arc<SqliteStore>,
    clock: &SimClock,
    entropy: &Arc<SeqEntropy>,
    policy: &Arc<dyn PolicyDecider>,
) -> Arc<Engine> {
    Arc::new(Engine::new(EngineParts {
        store: store.clone(),
        blobs: Arc::new(FileBlobs::open(dir.path().join("blobs")).unwrap()),
        output: Arc::new(FileOutput::open(dir.path().join("output")).unwrap()),
        policy: policy.clone(),
        clock: Arc::new(clock.clone()),
        entropy: entropy.clone(),
        limits: LeaseLimits::default(),
        token_key: TokenKey::from_bytes([7; 32]),
        local: Some(LocalToken {
            digest: Sha256Digest::of(LOCAL_SECRET.as_bytes()),
            caller: Caller::local_user("user:owner"),
        }),
    }))
}

fn failure(outcome: RunOutcome) -> Option<Failure> {
    (outcome != RunOutcome::Succeeded).then(|| {
        Failure::new(
            FailureClass::Agent,
            "agent_failed",
            "turns",
            "it failed",
            "retry",
        )
    })
}
