//! Counters of jobs, runs, leases, approvals and decisions, read off the control log.
//!
//! Nothing counts while it happens: whoever asks makes the meter read on from where it stood. So the numbers are those of the log,
//! the same after a restart, and a server that nobody watches pays nothing for them.

use std::collections::{BTreeMap, BTreeSet};

use dogwatch_api::{ControlPlane, ListEvents, Problem};
use dogwatch_core::Timestamp;
use dogwatch_core::event::Envelope;
use dogwatch_core::ids::{ApprovalId, JobId, RunId};
use dogwatch_core::job::{DecisionEffect, JobEvent, JobStatus};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::metrics::Labels;

/// Entries that are read at once.
const BATCH: u32 = 1000;

/// More names of agents than this are told apart by no counter.
const AGENTS: usize = 50;

/// Upper bounds of the buckets of waits and runs, in seconds.
const SECONDS: [f64; 12] = [
    0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0,
];

/// What stands in the log up to a position.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    position: u64,
    jobs: BTreeMap<JobId, Standing>,
    runs: BTreeMap<RunId, (Timestamp, String)>,
    approvals: BTreeMap<ApprovalId, Timestamp>,
    agents: BTreeSet<String>,
    shown: Shown,
}

/// A job that is not over.
#[derive(Debug)]
struct Standing {
    status: JobStatus,
    agent: String,
    waiting_since: Option<Timestamp>,
}

/// The counters themselves.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    tasks: Family<Labels, Gauge>,
    queue_wait: Histogram,
    run_duration: Family<Labels, Histogram, fn() -> Histogram>,
    lease_expirations: Counter,
    approvals_pending: Gauge,
    approval_wait: Histogram,
    decisions: Family<Labels, Counter>,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            tasks: Family::default(),
            queue_wait: seconds(),
            run_duration: Family::new_with_constructor(seconds),
            lease_expirations: Counter::default(),
            approvals_pending: Gauge::default(),
            approval_wait: seconds(),
            decisions: Family::default(),
        }
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Meter {
    /// A meter at the beginning of the log, whose counters are in the registry.
    pub(crate) fn in_registry(registry: &mut Registry) -> Self {
        let shown = Shown::default();
        registry.register("tasks", "Jobs by state", shown.tasks.clone());
        registry.register(
            "queue_wait_seconds",
            "From the moment a job could be taken to its lease",
            shown.queue_wait.clone(),
        );
        registry.register(
            "run_duration_seconds",
            "From the start of a run to its end, by agent and result",
            shown.run_duration.clone(),
        );
        registry.register(
            "lease_expirations",
            "Leases that nobody renewed in time",
            shown.lease_expirations.clone(),
        );
        registry.register(
            "approvals_pending",
            "Approvals that wait for a person",
            shown.approvals_pending.clone(),
        );
        registry.register(
            "approval_wait_seconds",
            "From the request for an approval to its end",
            shown.approval_wait.clone(),
        );
        registry.register(
            "policy_decisions",
            "Decisions by policy, and what was decided",
            shown.decisions.clone(),
        );
        Self {
            shown,
            ..Self::default()
        }
    }

    /// Reads on to the end of the log.
    pub(crate) async fn catch_up(&mut self, plane: &dyn ControlPlane) -> Result<(), Problem> {
        loop {
            let request = ListEvents {
                after: Some(self.position),
                limit: Some(BATCH),
                ..ListEvents::default()
            };
            let page = plane.list_events(request).await?;
            for entry in &page.items {
                self.count(&entry.event);
            }
            let next = page.next_cursor.parse().unwrap_or(self.position);
            if next <= self.position {
                return Ok(());
            }
            self.position = next;
        }
    }

    fn count(&mut self, entry: &Envelope) {
        // What is not about a job, or is of a later version, counts for nothing.
        let (Some(job), Ok(event)) = (entry.job, JobEvent::from_parts(&entry.kind, &entry.data))
        else {
            return;
        };
        self.count_around(&event, entry.at);
        if let JobEvent::Submitted(submitted) = &event {
            let standing = Standing {
                status: JobStatus::Queued,
                agent: self.agent(&submitted.agent),
                waiting_since: Some(entry.at),
            };
            self.tasks(JobStatus::Queued).inc();
            self.jobs.insert(job, standing);
            return;
        }
        let Some(standing) = self.jobs.get_mut(&job) else {
            return;
        };
        match &event {
            JobEvent::LeaseGranted { .. } => {
                if let Some(since) = standing.waiting_since.take() {
                    self.shown.queue_wait.observe(between(since, entry.at));
                }
            }
            JobEvent::RunCreated { run } => {
                let agent = standing.agent.clone();
                self.runs.insert(run.id, (entry.at, agent));
            }
            JobEvent::Requeued { backoff_ms, .. } => {
                standing.waiting_since = backoff_ms.is_none().then_some(entry.at);
            }
            JobEvent::Due {} => standing.waiting_since = Some(entry.at),
            _ => {}
        }
        let Some(status) = status_after(&event) else {
            return;
        };
        let before = std::mem::replace(&mut standing.status, status);
        if status.is_terminal() {
            self.jobs.remove(&job);
        }
        self.tasks(before).dec();
        self.tasks(status).inc();
    }

    /// What counts whatever the job stands at.
    fn count_around(&mut self, event: &JobEvent, at: Timestamp) {
        match event {
            JobEvent::PolicyDecided(decided) => {
                let decision = match decided.effect {
                    DecisionEffect::Allow => "allow",
                    DecisionEffect::Deny => "deny",
                };
                let labels = vec![
                    ("decision", decision.to_owned()),
                    ("rule", decided.policy.clone()),
                ];
                self.shown.decisions.get_or_create(&labels).inc();
            }
            JobEvent::LeaseExpired { .. } => {
                self.shown.lease_expirations.inc();
            }
            JobEvent::RunClosed { run, closure } => {
                if let Some((since, agent)) = self.runs.remove(run) {
                    let labels = vec![
                        ("agent", agent),
                        ("result", closure.outcome.as_str().to_owned()),
                    ];
                    let durations = self.shown.run_duration.get_or_create(&labels);
                    durations.observe(between(since, at));
                }
            }
            JobEvent::ApprovalRequested(approval) => {
                self.approvals.insert(approval.id, at);
                self.shown.approvals_pending.inc();
            }
            JobEvent::ApprovalApproved { approval, .. }
            | JobEvent::ApprovalRejected { approval, .. }
            | JobEvent::ApprovalExpired { approval }
            | JobEvent::ApprovalSuperseded { approval, .. } => {
                if let Some(since) = self.approvals.remove(approval) {
                    self.shown.approvals_pending.dec();
                    self.shown.approval_wait.observe(between(since, at));
                }
            }
            _ => {}
        }
    }

    fn tasks(&self, status: JobStatus) -> Gauge {
        let labels = vec![("state", status.as_str().to_owned())];
        self.shown.tasks.get_or_create(&labels).clone()
    }

    /// The name as a label. Whoever submits chooses it, so there cannot be any number of them.
    fn agent(&mut self, name: &str) -> String {
        if self.agents.len() < AGENTS && name.len() <= 64 {
            self.agents.insert(name.to_owned());
        }
        if self.agents.contains(name) {
            name.to_owned()
        } else {
            "other".to_owned()
        }
    }
}

/// Where a job stands after an event, if the event says so.
fn status_after(event: &JobEvent) -> Option<JobStatus> {
    match event {
        JobEvent::Submitted(_) | JobEvent::Requeued { .. } => Some(JobStatus::Queued),
        JobEvent::AwaitingApproval { .. } => Some(JobStatus::AwaitingApproval),
        JobEvent::LeaseGranted { .. } => Some(JobStatus::Leased),
        JobEvent::RunCreated { .. } | JobEvent::RunResumed { .. } => Some(JobStatus::Running),
        JobEvent::Parked { .. } => Some(JobStatus::Parked),
        JobEvent::Blocked { .. } => Some(JobStatus::Blocked),
        JobEvent::Succeeded {} => Some(JobStatus::Succeeded),
        JobEvent::Failed { .. } => Some(JobStatus::Failed),
        JobEvent::TimedOut { .. } => Some(JobStatus::TimedOut),
        JobEvent::Cancelled { .. } => Some(JobStatus::Cancelled),
        JobEvent::Denied { .. } => Some(JobStatus::Denied),
        JobEvent::Expired {} => Some(JobStatus::Expired),
        JobEvent::PolicyDecided(_)
        | JobEvent::LeaseReleased { .. }
        | JobEvent::LeaseExpired { .. }
        | JobEvent::LeaseRevoked { .. }
        | JobEvent::RunClosed { .. }
        | JobEvent::RunCleanedUp { .. }
        | JobEvent::RunJudged { .. }
        | JobEvent::RunLanded { .. }
        | JobEvent::Due {}
        | JobEvent::Message { .. }
        | JobEvent::ApprovalRequested(_)
        | JobEvent::ApprovalApproved { .. }
        | JobEvent::ApprovalRejected { .. }
        | JobEvent::ApprovalExpired { .. }
        | JobEvent::ApprovalSuperseded { .. }
        | JobEvent::ApprovalUsed { .. }
        | JobEvent::CancelRequested { .. } => None,
    }
}

/// Seconds between two entries. A clock that was set back makes no negative wait.
#[expect(
    clippy::cast_precision_loss,
    reason = "a wait of centuries may lose a microsecond"
)]
fn between(since: Timestamp, until: Timestamp) -> f64 {
    (until.as_micros() - since.as_micros()).max(0) as f64 / 1e6
}
