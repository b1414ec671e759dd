//! A server over an engine over a fresh database, with a job, a run, and tokens of every kind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{
    Caller, Claim, ControlPlane, CreateToken, HeldLease, RUNNER_PROTOCOL, Scope, StartRun, Submit,
    SyncRunner,
};
use dogwatch_blobs::{FileBlobs, FileOutput};
use dogwatch_core::Sha256Digest;
use dogwatch_core::contract::{ContractContext, ContractDraft};
use dogwatch_core::ids::{ClaimId, JobId, MachineId, ProjectId, RunId, TokenId};
use dogwatch_core::job::StartFrom;
use dogwatch_core::limits::LeaseLimits;
use dogwatch_core::queue::Offer;
use dogwatch_core::{Clock, Timestamp};
use dogwatch_engine::{Engine, EngineParts, InProcess, TokenKey};
use dogwatch_policy::AllowAll;
use dogwatch_server::{
    Activity, AllowedHosts, EngineDoor, Limits, Listen, Listening, Metrics, Parts, Server,
};
use dogwatch_store_sqlite::SqliteStore;
use dogwatch_testkit::{SeqEntropy, SimClock};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::wire::{Answer, Wire};

/// Stands in the task of the job, and so in whatever tells of it.
pub(crate) const MARK: &str = "mark-of-the-first-project";

pub(crate) struct Bench {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: SimClock,
    pub(crate) entropy: Arc<SeqEntropy>,
    pub(crate) project: ProjectId,
    pub(crate) machine: MachineId,
    pub(crate) tcp: SocketAddr,
    pub(crate) agent_socket: PathBuf,
    pub(crate) activity: Activity,
    _dir: TempDir,
}

/// A job that runs.
pub(crate) struct Running {
    pub(crate) held: HeldLease,
    pub(crate) run: RunId,
    pub(crate) contract: Sha256Digest,
    pub(crate) agent: String,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = SimClock::new();
        let entropy = Arc::new(SeqEntropy::new());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let file = dir.path().join("dogwatch.db");
        let store = SqliteStore::open(&file, Arc::clone(&shared), entropy.clone()).unwrap();
        let engine = Arc::new(Engine::new(EngineParts {
            store: Arc::new(store),
            blobs: Arc::new(FileBlobs::open(dir.path().join("blobs")).unwrap()),
            output: Arc::new(FileOutput::open(dir.path().join("output")).unwrap()),
            policy: Arc::new(AllowAll),
            clock: Arc::clone(&shared),
            entropy: entropy.clone(),
            limits: LeaseLimits::default(),
            token_key: TokenKey::from_bytes([7; 32]),
            local: None,
        }));
        let door = Arc::new(EngineDoor::new(Arc::clone(&engine)));
        let parts = Parts {
            planes: door.clone(),
            tokens: door.clone(),
            readiness: door,
            clock: shared,
            entropy: entropy.clone(),
            limits,
            hosts: AllowedHosts::default(),
            metrics: Metrics::new("test"),
            extra: None,
        };
        let place = Listen::Tcp {
            address: "127.0.0.1:0".parse().unwrap(),
            allow_remote: false,
        };
        let (server, agents) = (Server::bind(parts.clone(), &[place]).await.unwrap(), {
            let socket = dir.path().join("run/agent.sock");
            Server::bind_for_agents(parts, socket).await.unwrap()
        });
        let Listening::Unix(agent_socket) = agents.listening()[0].clone() else {
            panic!("the door for agents is a socket");
        };
        tokio::spawn(agents.run(std::future::pending()));
        let Listening::Tcp(tcp) = server.listening()[0].clone() else {
            panic!("the one place is a TCP one");
        };
        let activity = server.activity();
        tokio::spawn(server.run(std::future::pending()));
        Self {
            engine,
            project: ProjectId::mint(&clock, &*entropy),
            machine: MachineId::mint(&clock, &*entropy),
            clock,
            entropy,
            tcp,
            agent_socket,
            activity,
            _dir: dir,
        }
    }

    pub(crate) fn owner(&self) -> InProcess {
        InProcess::new(self.engine.clone(), Caller::local_user("user:owner"))
    }

    fn runner(&self) -> InProcess {
        InProcess::new(self.engine.clone(), Caller::local_runner("runner:test"))
    }

    /// A token, and its secret.
    pub(crate) async fn token(
        &self,
        scopes: &[Scope],
        project: Option<ProjectId>,
        expires_at: Option<Timestamp>,
    ) -> (TokenId, String) {
        let request = CreateToken {
            label: "test".to_owned(),
            principal: None,
            scopes: scopes.iter().copied().collect(),
            projects: project.map(|project| [project].into()),
            expires_at,
        };
        let created = self.owner().create_token(request).await.unwrap();
        (created.token.id, created.secret)
    }

    pub(crate) async fn everything(&self) -> String {
        let all = Scope::ALL
            .into_iter()
            .filter(|scope| *scope != Scope::Agent);
        self.token(&all.collect::<Vec<_>>(), None, None).await.1
    }

    pub(crate) fn submit(&self) -> Submit {
        let draft =
            json!({"schema": 1, "task": MARK, "agent": "scripted", "retry": {"max_attempts": 1}});
        let draft = ContractDraft::from_json(&draft.to_string()).unwrap();
        let context = ContractContext {
            base_commit: "a".repeat(40),
            ..ContractContext::default()
        };
        let stored = draft
            .expand(&context)
            .unwrap()
            .contract
            .to_stored()
            .unwrap();
        let request = json!({
            "project": self.project, "topic": "task", "contract": String::from_utf8(stored.bytes).unwrap(),
            "contract_hash": stored.hash,
        });
        serde_json::from_value(request).unwrap()
    }

    pub(crate) fn sync(&self) -> SyncRunner {
        SyncRunner {
            protocol: RUNNER_PROTOCOL,
            name: "test".to_owned(),
            version: "0".to_owned(),
            offer: Offer::anything(self.machine),
            slots: 1,
            capabilities: Vec::new(),
        }
    }

    pub(crate) fn claim(&self, job: Option<JobId>) -> Claim {
        Claim {
            claim_id: ClaimId::mint(&self.clock, &*self.entropy),
            machine: self.machine,
            holder: None,
            job,
            max: 1,
            wait_ms: 0,
        }
    }

    /// A job of this project whose run has started.
    pub(crate) async fn running(&self) -> Running {
        let request = self.submit();
        let contract = request.contract_hash;
        let job = self.owner().submit(request).await.unwrap().job_id;
        self.runner().sync(self.sync()).await.unwrap();
        let mut claimed = self.runner().claim(self.claim(Some(job))).await.unwrap();
        let lease = claimed.jobs.remove(0).lease;
        let held = HeldLease {
            job,
            lease: lease.id,
            epoch: lease.epoch,
        };
        let run = RunId::mint(&self.clock, &*self.entropy);
        let start = StartRun {
            held,
            run,
            session: None,
            continues: None,
            start_from: StartFrom::Base,
        };
        let started = self.runner().start(start).await.unwrap();
        Running {
            held,
            run,
            contract,
            agent: started.token,
        }
    }

    /// How far the control log goes.
    pub(crate) async fn log(&self) -> String {
        let mut after = None;
        loop {
            let request = dogwatch_api::ListEvents {
                after,
                limit: Some(1000),
                ..dogwatch_api::ListEvents::default()
            };
            let next = self.owner().list_events(request).await.unwrap().next_cursor;
            if after.map(|position| position.to_string()) == Some(next.clone()) {
                return next;
            }
            after = Some(next.parse().unwrap());
        }
    }

    pub(crate) async fn connect(&self) -> Wire<TcpStream> {
        Wire::new(TcpStream::connect(self.tcp).await.unwrap())
    }

    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut wire = self.connect().await;
        wire.send(request).await;
        wire.answer().await
    }

    pub(crate) fn head(&self, line: &str, token: &str) -> String {
        let host = self.tcp;
        format!("{line} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n")
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(self.head(&format!("GET {path}"), token) + "\r\n")
            .await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.post_with(path, token, "", body).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        token: &str,
        headers: &str,
        body: &Value,
    ) -> Answer {
        let head = self.head(&format!("POST {path}"), token);
        let body = body.to_string();
        let length = body.len();
        let request = format!(
            "{head}{headers}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.ask(request).await
    }
}

/// Waits until the server has noticed something; fails after a while.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let looks = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looks)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// What went well.
pub(crate) trait Done {
    /// The document that it has to be.
    fn json(&self) -> Value;
}

impl Done for Answer {
    fn json(&self) -> Value {
        let is_json = self.head.contains("content-type: application/json");
        assert!(self.status == 200 && is_json, "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}
