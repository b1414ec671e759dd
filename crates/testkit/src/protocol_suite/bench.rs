//! A stage with the steps that every check takes.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{
    Claim, ClaimedJob, CompleteRun, ControlPlane, HeldLease, Problem, StartRun, Started, Submit,
    SyncRunner,
};
use dogwatch_core::contract::{ContractContext, ContractDraft};
use dogwatch_core::failure::{Failure, FailureClass};
use dogwatch_core::ids::{ClaimId, JobId, LeaseId, MachineId, ProjectId, RunId};
use dogwatch_core::job::{Assurance, Job, JobStatus, RunClosure, RunOutcome, StartFrom};
use dogwatch_core::queue::Offer;

use super::journal::JournalText;
use super::stage::Stage;
use crate::{SeqEntropy, SimClock};

/// A run under way, with the journal that was written for it so far.
pub struct Held {
    /// The lease.
    pub lease: HeldLease,
    /// The run.
    pub run: RunId,
    /// The token of its agent.
    pub token: String,
    /// Its journal.
    pub journal: JournalText,
}

/// The bench of one check.
pub struct Bench {
    stage: Box<dyn Stage>,
    /// The person who asks for work.
    pub user: Arc<dyn ControlPlane>,
    /// The runner.
    pub runner: Arc<dyn ControlPlane>,
    /// The person who approves.
    pub chief: Arc<dyn ControlPlane>,
    /// The wall clock.
    pub clock: SimClock,
    /// Ids that the control plane does not make.
    pub entropy: SeqEntropy,
    /// The project.
    pub project: ProjectId,
    /// The machine that claims.
    pub machine: MachineId,
}

impl Bench {
    /// A bench on a stage whose machine has said what it has to offer: everything.
    pub async fn new(stage: impl Stage + 'static) -> Self {
        let clock = stage.clock();
        // Far from the ids that the control plane makes with the same clock.
        let entropy = SeqEntropy::starting_at((1 << 40) + (1 << 23));
        let bench = Self {
            user: stage.user(),
            runner: stage.runner(),
            chief: stage.chief(),
            project: ProjectId::mint(&clock, &entropy),
            machine: MachineId::mint(&clock, &entropy),
            stage: Box::new(stage),
            clock,
            entropy,
        };
        bench.synced(bench.machine).await;
        bench
    }

    /// Another machine that offers everything.
    pub async fn another_machine(&self) -> MachineId {
        let machine = MachineId::mint(&self.clock, &self.entropy);
        self.synced(machine).await;
        machine
    }

    async fn synced(&self, machine: MachineId) {
        let request = self.sync_request(Offer::anything(machine));
        self.runner.sync(request).await.unwrap();
    }

    /// What a runner says first.
    pub fn sync_request(&self, offer: Offer) -> SyncRunner {
        SyncRunner {
            protocol: dogwatch_api::RUNNER_PROTOCOL,
            name: "bench".to_owned(),
            version: "0.0.0".to_owned(),
            offer,
            slots: 2,
            capabilities: Vec::new(),
        }
    }

    /// Whoever presents this token now.
    pub async fn bearer(&self, token: &str) -> Arc<dyn ControlPlane> {
        self.stage.bearer(token).await
    }

    /// One sweep, so many seconds after the control plane's steady clock began.
    pub async fn sweep(&self, seconds: u64) {
        self.stage.sweep(Duration::from_secs(seconds)).await;
    }

    /// Whether no more work is handed out.
    pub fn drain(&self, drain: bool) {
        self.stage.drain(drain);
    }

    /// A request for work, under a contract with these members beside its task.
    pub fn submission_with(&self, task: &str, members: &serde_json::Value) -> Submit {
        let mut contract = serde_json::json!({"schema": 1, "task": task, "agent": "scripted"});
        if let (Some(all), Some(more)) = (contract.as_object_mut(), members.as_object()) {
            all.extend(more.clone());
        }
        let context = ContractContext {
            base_commit: "a".repeat(40),
            ..ContractContext::default()
        };
        let draft = ContractDraft::from_json(&contract.to_string()).unwrap();
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

    /// A request for work.
    pub fn submission(&self, task: &str) -> Submit {
        self.submission_with(task, &serde_json::json!({}))
    }

    /// A queued job.
    pub async fn queued(&self, task: &str) -> JobId {
        self.user
            .submit(self.submission(task))
            .await
            .unwrap()
            .job_id
    }

    /// A job whose every start a person has to approve.
    pub async fn awaiting(&self, task: &str) -> JobId {
        let members = serde_json::json!({"review": {"approve_before_start": true}});
        let request = self.submission_with(task, &members);
        self.user.submit(request).await.unwrap().job_id
    }

    /// A claim of the bench's machine.
    pub fn claim(&self, job: Option<JobId>, max: u32) -> Claim {
        Claim {
            claim_id: ClaimId::mint(&self.clock, &self.entropy),
            machine: self.machine,
            holder: None,
            job,
            max,
            wait_ms: 0,
        }
    }

    /// A job under a lease.
    pub async fn leased(&self, job: JobId) -> (ClaimedJob, HeldLease) {
        let claimed = self.runner.claim(self.claim(Some(job), 1)).await.unwrap();
        let claimed = claimed.jobs.into_iter().next().expect("the job is ready");
        let held = held(&claimed);
        (claimed, held)
    }

    /// A fresh run id.
    pub fn run_id(&self) -> RunId {
        RunId::mint(&self.clock, &self.entropy)
    }

    /// A fresh lease id, which nobody granted.
    pub fn forged_lease(&self) -> LeaseId {
        LeaseId::mint(&self.clock, &self.entropy)
    }

    /// The request that starts a run.
    pub fn start_request(&self, held: HeldLease, run: RunId) -> StartRun {
        StartRun {
            held,
            run,
            session: None,
            continues: None,
            start_from: StartFrom::Base,
        }
    }

    /// Starts a run, or resumes it.
    pub async fn start(&self, held: HeldLease, run: RunId) -> Result<Started, Problem> {
        self.runner.start(self.start_request(held, run)).await
    }

    /// A run under way.
    pub async fn running(&self, job: JobId) -> Held {
        let (_, lease) = self.leased(job).await;
        let run = self.run_id();
        let started = self.start(lease, run).await.unwrap();
        Held {
            lease,
            run,
            token: started.token,
            journal: JournalText::new(self.project, lease, run),
        }
    }

    /// A run under way, of a job of its own.
    pub async fn run_of(&self, task: &str) -> Held {
        let job = self.queued(task).await;
        self.running(job).await
    }

    /// The report of a run's end.
    pub fn completion(&self, held: &Held, outcome: RunOutcome) -> CompleteRun {
        CompleteRun {
            held: held.lease,
            run: held.run,
            closure: self.closure(outcome),
        }
    }

    /// How a run ended.
    pub fn closure(&self, outcome: RunOutcome) -> RunClosure {
        RunClosure {
            outcome,
            failure: failure(outcome),
            tree: None,
            assurance: Assurance::None,
            manifest: None,
            turns: 0,
            at: dogwatch_core::Clock::now(&self.clock),
        }
    }

    /// Writes the journal to its end and completes the run.
    pub async fn complete(&self, held: &mut Held, outcome: RunOutcome) -> Job {
        let lines = held.journal.whole(self, outcome);
        self.append(held, lines).await.unwrap();
        let request = self.completion(held, outcome);
        self.runner.complete(request).await.unwrap()
    }

    /// Sends journal lines.
    pub async fn append(&self, held: &Held, lines: Vec<Vec<u8>>) -> Result<u64, Problem> {
        let request = dogwatch_api::AppendEvents {
            held: held.lease,
            run: held.run,
            lines,
        };
        self.runner
            .append_events(request)
            .await
            .map(|appended| appended.lines)
    }

    /// The job as it stands.
    pub async fn job(&self, id: JobId) -> Job {
        self.user.job(id).await.unwrap().job
    }

    /// Where the job stands.
    pub async fn status(&self, id: JobId) -> JobStatus {
        self.job(id).await.state.status()
    }
}

/// The lease of a claimed job.
pub(super) fn held(claimed: &ClaimedJob) -> HeldLease {
    HeldLease {
        job: claimed.job.id,
        lease: claimed.lease.id,
        epoch: claimed.lease.epoch,
    }
}

/// Why a run that ended so ended so.
pub(super) fn failure(outcome: RunOutcome) -> Option<Failure> {
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
