//! The loop itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use dogwatch_api::{
    ClaimedJob, Problem, ProblemCode, RUNNER_PROTOCOL, ReleaseJob, SyncRunner, Wakeup,
};
use dogwatch_core::ids::{JobId, LeaseId, RunId};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use super::claim::{Answer, Request};
use super::listen::Listener;
use super::one_run::{OneRun, held};
use super::options::{Mode, Stop, Transport, WorkOptions, Worked};
use crate::control::RunControl;
use crate::ended::Ended;
use crate::error::RunnerError;
use crate::heartbeat::LeaseTiming;
use crate::patience::{Waits, is_passing};
use crate::recover;
use crate::runner::{ActiveRuns, Runner, RunnerParts};

/// How many poll intervals pass between two requests while wake-ups come.
const WITH_WAKEUPS: u32 = 5;

/// How often a runner that does one job only asks a control plane that does not answer.
const TRIES_ONCE: u32 = 10;

impl Runner {
    /// Works: says what it has to offer, takes jobs and runs them, until its mode, `stop` or the control plane ends it. All its runs have
    /// ended when this returns. Errors: what no further request would change, such as `protocol_too_old` or a token that is not valid.
    pub async fn work(
        &self,
        options: WorkOptions,
        mut stop: watch::Receiver<Stop>,
    ) -> Result<Worked, RunnerError> {
        let options = WorkOptions {
            slots: options.slots.max(1),
            ..options
        };
        let Some(timing) = sync(&self.parts, &options, &mut stop).await? else {
            return Ok(Worked::default());
        };
        let listener = match (options.mode, options.transport) {
            (Mode::Once, _) | (_, Transport::Poll) => Listener::deaf(),
            (Mode::Continuous, Transport::Auto | Transport::Sse) => {
                Listener::start(Arc::clone(&self.parts.plane), self.parts.machine)
            }
        };
        let work = WorkLoop {
            parts: Arc::clone(&self.parts),
            active: self.active.clone(),
            options,
            timing,
            drain: watch::Sender::new(false),
            runs: JoinSet::new(),
            taken: HashMap::new(),
            listener,
            asking: None,
            unanswered: None,
            waits: Waits::default(),
            due: Instant::now(),
            hinted: false,
            asked_once: false,
            tries: 0,
            left: Leftovers::default(),
            worked: Worked::default(),
            fatal: None,
        };
        work.run(stop).await
    }
}

/// Says what the runner has to offer, until that is heard. `None` when it was told to stop first.
async fn sync(
    parts: &RunnerParts,
    options: &WorkOptions,
    stop: &mut watch::Receiver<Stop>,
) -> Result<Option<LeaseTiming>, RunnerError> {
    let mut waits = Waits::default();
    let mut tries = 0;
    loop {
        let problem = match parts.plane.sync(introduction(parts, options)).await {
            Ok(synced) => return Ok(Some(LeaseTiming::from(&synced))),
            Err(problem) => problem,
        };
        tries += 1;
        if !is_passing(&problem) || (options.mode == Mode::Once && tries >= TRIES_ONCE) {
            return Err(problem.into());
        }
        let told = stop.wait_for(|stop| *stop != Stop::GoOn);
        if let Ok(Ok(_)) = tokio::time::timeout(waits.next(), told).await {
            return Ok(None);
        }
    }
}

fn introduction(parts: &RunnerParts, options: &WorkOptions) -> SyncRunner {
    SyncRunner {
        protocol: RUNNER_PROTOCOL,
        name: parts.name.clone(),
        version: parts.version.clone(),
        offer: parts.offer.clone(),
        slots: options.slots,
        capabilities: parts.capabilities.clone(),
    }
}

/// Runs of this machine that nobody works on any more and that are not put in order yet.
#[derive(Default)]
struct Leftovers {
    runs: BTreeSet<RunId>,
    at_work: Option<JoinHandle<BTreeSet<RunId>>>,
    next: Option<Instant>,
}

struct WorkLoop {
    parts: Arc<RunnerParts>,
    active: ActiveRuns,
    options: WorkOptions,
    timing: LeaseTiming,
    /// Whether the control plane wants no more work to be taken.
    drain: watch::Sender<bool>,
    runs: JoinSet<Ended>,
    /// The jobs on the tasks, for one that panics.
    taken: HashMap<Id, (JobId, LeaseId)>,
    listener: Listener,
    /// The request for work that is under way.
    asking: Option<JoinHandle<Answer>>,
    /// One whose answer was lost.
    unanswered: Option<Request>,
    waits: Waits,
    /// When to ask next.
    due: Instant,
    /// Whether a hint came since the last request was made.
    hinted: bool,
    /// Whether a request was granted, be it nothing.
    asked_once: bool,
    /// How many requests were refused.
    tries: u32,
    left: Leftovers,
    worked: Worked,
    /// Why no further request makes sense.
    fatal: Option<RunnerError>,
}

impl WorkLoop {
    async fn run(mut self, mut stop: watch::Receiver<Stop>) -> Result<Worked, RunnerError> {
        if self.options.mode == Mode::Continuous {
            self.left.runs = recover::work_directories(&self.parts)?
                .into_iter()
                .collect();
            self.left.next = Some(Instant::now() + self.timing.heartbeat());
        }
        let mut drained = self.drain.subscribe();
        let mut stoppable = true;
        let mut killed = false;
        loop {
            let told = *stop.borrow_and_update();
            if told == Stop::Now && !killed {
                killed = true;
                self.active.kill_all("runner_stopped");
            }
            let enough = told != Stop::GoOn
                || *drained.borrow_and_update()
                || self.fatal.is_some()
                || self.has_done_its_one_job();
            if enough && self.asking.is_none() && self.runs.is_empty() {
                break;
            }
            let may_ask = !enough && self.asking.is_none() && self.free() > 0 && self.may_poll();
            let collect_at = self.left.next.filter(|_| self.left.at_work.is_none());
            tokio::select! {
                changed = stop.changed(), if stoppable => stoppable = changed.is_ok(),
                _ = drained.changed() => {}
                hint = self.listener.next() => self.heed(hint),
                answer = finished(&mut self.asking) => {
                    self.asking = None;
                    self.answered(answer, told).await;
                }
                Some(ended) = self.runs.join_next_with_id(), if !self.runs.is_empty() => self.ended(ended),
                () = tokio::time::sleep_until(self.due), if may_ask => self.ask(),
                () = at(collect_at) => self.collect(),
                rest = finished(&mut self.left.at_work) => {
                    self.left.at_work = None;
                    self.collected(rest);
                }
            }
        }
        if let Some(task) = self.left.at_work.take() {
            let _ = task.await;
        }
        self.worked.drained = *self.drain.borrow();
        match self.fatal {
            Some(error) => Err(error),
            None => Ok(self.worked),
        }
    }

    fn free(&self) -> u32 {
        let busy = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        self.options.slots.saturating_sub(busy)
    }

    fn may_poll(&self) -> bool {
        self.options.transport != Transport::Sse
            || self.options.mode == Mode::Once
            || self.listener.is_live()
    }

    /// What a wake-up changes.
    fn heed(&mut self, hint: Wakeup) {
        match hint {
            Wakeup::Ready | Wakeup::JobAvailable | Wakeup::Timeout => {
                self.hinted = true;
                self.due = Instant::now();
            }
            Wakeup::Cancel { job } => {
                if let Some(control) = self.active.control(job) {
                    control.look_now();
                }
            }
        }
    }

    fn ask(&mut self) {
        let request = self.unanswered.take().unwrap_or_else(|| {
            let (max, wait) = match self.options.mode {
                Mode::Once => (1, Duration::ZERO),
                Mode::Continuous if self.listener.is_live() => (self.free(), Duration::ZERO),
                Mode::Continuous => (self.free(), self.options.poll_interval),
            };
            Request::new(&self.parts, max, wait)
        });
        self.hinted = false;
        // Not again before the interval is over, unless there is a reason.
        let interval = match self.listener.is_live() {
            true => self.options.poll_interval * WITH_WAKEUPS,
            false => self.options.poll_interval,
        };
        self.due = Instant::now() + interval;
        self.asking = Some(request.send(&self.parts));
    }

    async fn answered(&mut self, answer: Result<Answer, JoinError>, told: Stop) {
        let Ok(Answer { request, jobs }) = answer else {
            tracing::error!("asking for work ended in a panic");
            return;
        };
        let jobs = match jobs {
            Ok(jobs) => jobs,
            Err(problem) => return self.refused(request, problem).await,
        };
        self.waits = Waits::default();
        self.asked_once = true;
        if !jobs.is_empty() || self.hinted {
            self.due = Instant::now();
        }
        let asked_ns = request.asked_ns();
        for claimed in jobs {
            // A run that was parked cannot be given back, only gone on with.
            if told != Stop::GoOn && claimed.job.open_run().is_none() {
                self.give_back(&claimed).await;
            } else {
                self.launch(claimed, asked_ns);
            }
        }
    }

    /// A request that was not granted.
    async fn refused(&mut self, request: Request, problem: Problem) {
        tracing::debug!(code = problem.code, "asking for work was refused");
        self.tries += 1;
        self.due = Instant::now() + self.waits.next();
        match problem.kind {
            ProblemCode::Unauthenticated | ProblemCode::Forbidden | ProblemCode::Invalid => {
                self.fatal = Some(problem.into());
            }
            _ if self.options.mode == Mode::Once && self.tries >= TRIES_ONCE => {
                self.fatal = Some(problem.into());
            }
            _ if is_passing(&problem) => self.unanswered = Some(request),
            // A server that was replaced does not know the runner.
            _ => {
                let again = self
                    .parts
                    .plane
                    .sync(introduction(&self.parts, &self.options));
                match again.await {
                    Ok(synced) => self.timing = LeaseTiming::from(&synced),
                    Err(problem) => {
                        tracing::warn!(code = problem.code, "the runner is not known");
                    }
                }
            }
        }
    }

    async fn give_back(&self, claimed: &ClaimedJob) {
        let request = ReleaseJob {
            held: held(claimed),
            reason: "runner_stopped".to_owned(),
        };
        if let Err(problem) = self.parts.plane.release(request).await {
            tracing::warn!(code = problem.code, "a lease was not given back");
        }
    }

    fn launch(&mut self, claimed: ClaimedJob, asked_ns: u64) {
        let (job, lease) = (claimed.job.id, claimed.lease.id);
        if let Some(run) = claimed.job.open_run() {
            // It was parked when this runner began, and is nobody's leftover from here on.
            self.left.runs.remove(&run.id);
        }
        let control = RunControl::default();
        self.active.insert(lease, job, control.clone());
        self.parts.observer.claimed(job);
        self.worked.jobs += 1;
        let run = OneRun {
            parts: Arc::clone(&self.parts),
            claimed,
            asked_ns,
            timing: self.timing,
            control,
            drain: self.drain.clone(),
        };
        let task = self.runs.spawn(run.run());
        self.taken.insert(task.id(), (job, lease));
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, Ok(ended)),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let Some((job, lease)) = self.taken.remove(&id) else {
            return;
        };
        self.active.remove(lease);
        let ended = ended.unwrap_or_else(|reason| Ended::Abandoned {
            job,
            run: None,
            reason,
        });
        match &ended {
            // There is a free slot, and what waits may be for it.
            Ended::Finished(_) | Ended::Parked(_) => self.due = Instant::now(),
            // Once the control plane has closed the run, what it left is put in order.
            Ended::LeaseLost { run, .. } | Ended::Abandoned { run, .. } => {
                self.left.runs.extend(run);
                self.left.next = Some(Instant::now() + self.timing.heartbeat());
            }
            Ended::Released { .. } => {}
        }
        self.parts.observer.ended(&ended);
        self.worked.last = Some(ended);
    }

    fn collect(&mut self) {
        self.left.next = None;
        let (parts, runs) = (Arc::clone(&self.parts), std::mem::take(&mut self.left.runs));
        if !runs.is_empty() {
            self.left.at_work = Some(tokio::spawn(
                async move { recover::collect(&parts, runs).await },
            ));
        }
    }

    fn collected(&mut self, rest: Result<BTreeSet<RunId>, JoinError>) {
        self.left.runs.extend(rest.unwrap_or_default());
        if !self.left.runs.is_empty() {
            self.left.next = Some(Instant::now() + self.timing.heartbeat());
        }
    }

    /// Whether one job was wanted, and the answer is there.
    fn has_done_its_one_job(&self) -> bool {
        self.options.mode == Mode::Once && self.asked_once
    }
}

/// The result of a task, if there is one. The task is not ended by being waited for.
async fn finished<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
