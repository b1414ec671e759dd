//! A control plane over a fresh database, and the steps every test takes.

use std::sync::Arc;

use dogwatch_api::{
    Caller, Claim, ClaimedJob, CompleteRun, ControlPlane, HeldLease, StartRun, Submit,
};
use dogwatch_core::contract::{Contract, ContractContext, ContractDraft};
use dogwatch_core::event::{Actor, StreamId, Via};
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::{ClaimId, EventId, JobId, MachineId, ProjectId, RunId};
use dogwatch_core::job::{Assurance, RunClosure, RunOutcome, StartFrom};
use dogwatch_core::journal::{JournalDraft, JournalHead};
use dogwatch_core::limits::LeaseLimits;
use dogwatch_core::run::{Phase, RunEnded, RunEvent, RunStarted, SURFACE_UNATTENDED};
use dogwatch_core::{Clock, Entropy, Sha256Digest};
use dogwatch_engine::{Engine, InProcess};
use dogwatch_policy::{AllowAll, PolicyDecider};
use dogwatch_store_sqlite::SqliteStore;
use dogwatch_testkit::{SeqEntropy, SimClock};
use tempfile::TempDir;

pub(crate) struct Bench {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: SimClock,
    pub(crate) entropy: Arc<SeqEntropy>,
    pub(crate) project: ProjectId,
    pub(crate) machine: MachineId,
    _dir: TempDir,
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
        let engine = Engine::new(
            store.clone(),
            policy,
            Arc::new(clock.clone()),
            entropy.clone(),
            &LeaseLimits::default(),
        );
        let project = ProjectId::mint(&clock, &*entropy);
        let machine = MachineId::mint(&clock, &*entropy);
        Self {
            engine: Arc::new(engine),
            store,
            clock,
            entropy,
            project,
            machine,
            _dir: dir,
        }
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
        let context = ContractContext {
            base_commit: "a".repeat(40),
            ..ContractContext::default()
        };
        let draft = ContractDraft::from_json(&json.to_string()).unwrap();
        draft.expand(&context).unwrap().contract
    }

    pub(crate) fn request(&self, task: &str) -> Submit {
        self.request_with(task, 1)
    }

    pub(crate) fn request_with(&self, task: &str, max_attempts: u32) -> Submit {
        let stored = self.contract(task, max_attempts).to_stored().unwrap();
        Submit {
            project: self.project,
            session: None,
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
        }
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
        let run = RunId::mint(&self.clock, &*self.entropy as &dyn Entropy);
        let request = StartRun {
            held,
            run,
            session: None,
            continues: None,
            start_from: StartFrom::Base,
        };
        self.runner().start(request).await.unwrap().run.id
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
