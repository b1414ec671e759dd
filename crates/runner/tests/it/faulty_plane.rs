//! A control plane with faults: calls that never arrive, answers that are lost, and a memory of what was called.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dogwatch_api::*;
use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{ApprovalId, JobId, MachineId, RunId, TokenId};
use dogwatch_core::job::Job;

/// A control plane that fails as it is told to.
pub(crate) struct FaultyPlane {
    inner: Arc<dyn ControlPlane>,
    down: AtomicBool,
    broken: Mutex<BTreeSet<&'static str>>,
    lost_replies: Mutex<BTreeSet<&'static str>>,
    calls: Mutex<Vec<(&'static str, bool)>>,
}

impl FaultyPlane {
    pub(crate) fn over(inner: impl ControlPlane + 'static) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(inner),
            down: AtomicBool::new(false),
            broken: Mutex::default(),
            lost_replies: Mutex::default(),
            calls: Mutex::default(),
        })
    }

    /// Whether it can be reached.
    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// From now on this call fails in a way that asking again does not mend.
    pub(crate) fn break_call(&self, name: &'static str) {
        self.broken.lock().unwrap().insert(name);
    }

    /// The next such call is carried out, and its answer is lost.
    pub(crate) fn lose_reply(&self, name: &'static str) {
        self.lost_replies.lock().unwrap().insert(name);
    }

    /// How often a call was made and refused or lost.
    pub(crate) fn failed(&self, name: &str) -> usize {
        self.count(name, false)
    }

    /// How often a call was made and answered.
    pub(crate) fn answered(&self, name: &str) -> usize {
        self.count(name, true)
    }

    fn count(&self, name: &str, good: bool) -> usize {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .filter(|(called, was_good)| *called == name && *was_good == good)
            .count()
    }

    fn before(&self, name: &'static str) -> Result<(), Problem> {
        if self.down.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        if self.broken.lock().unwrap().contains(name) {
            return Err(Problem::new(
                ProblemCode::Internal,
                "internal",
                "broken",
                "nothing",
            ));
        }
        Ok(())
    }

    fn after(&self, name: &'static str) -> Result<(), Problem> {
        if self.lost_replies.lock().unwrap().remove(name) {
            return Err(unavailable());
        }
        Ok(())
    }

    fn remember<T>(&self, name: &'static str, answer: Result<T, Problem>) -> Result<T, Problem> {
        self.calls.lock().unwrap().push((name, answer.is_ok()));
        answer
    }
}

fn unavailable() -> Problem {
    Problem::new(
        ProblemCode::Unavailable,
        "server_unreachable",
        "nobody answers",
        "wait",
    )
}

macro_rules! faulty {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl ControlPlane for FaultyPlane {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, Problem> {
                let name = stringify!($name);
                let answer = match self.before(name) {
                    Ok(()) => {
                        let answer = self.inner.$name($($arg),*).await;
                        match self.after(name) {
                            Ok(()) => answer,
                            Err(problem) => Err(problem),
                        }
                    }
                    Err(problem) => Err(problem),
                };
                self.remember(name, answer)
            })*
        }
    };
}

faulty! {
    submit(request: Submit) -> Submitted;
    cancel(request: CancelJob) -> Job;
    retry(request: RetryJob) -> Retried;
    sync(request: SyncRunner) -> Synced;
    claim(request: Claim) -> Claimed;
    start(request: StartRun) -> Started;
    heartbeat(request: Heartbeat) -> HeartbeatReply;
    post_message(request: PostMessage) -> ();
    append_events(request: AppendEvents) -> Appended;
    append_output(request: AppendOutput) -> OutputAppended;
    put_blob(digest: Sha256Digest, bytes: Vec<u8>) -> ();
    declare_bundle(request: DeclareBundle) -> ();
    park(request: ParkRun) -> Job;
    complete(request: CompleteRun) -> Job;
    release(request: ReleaseJob) -> Job;
    clean_up(request: CleanUpRun) -> Job;
    revoke(request: RevokeLease) -> Recovered;
    wakeups(machine: MachineId) -> Box<dyn Wakeups>;
    request_approval(request: RequestApproval) -> ApprovalView;
    decide_approval(request: DecideApproval) -> ApprovalView;
    judge_run(request: JudgeRun) -> RunDetail;
    land_run(request: LandRun) -> RunDetail;
    approval(id: ApprovalId) -> ApprovalView;
    list_approvals(request: ListApprovals) -> ApprovalPage;
    job(id: JobId) -> JobView;
    run(id: RunId) -> RunDetail;
    resolve(text: &str) -> JobRef;
    list_jobs(request: ListJobs) -> JobPage;
    list_runs(request: ListRuns) -> RunPage;
    run_lines(run: RunId, after: u64) -> Vec<Vec<u8>>;
    list_output(run: RunId) -> OutputList;
    read_output(request: ReadOutput) -> OutputPiece;
    contract(hash: Sha256Digest) -> Vec<u8>;
    blob(digest: Sha256Digest) -> Vec<u8>;
    bundle(run: RunId) -> BundleFiles;
    why(what: JobRef) -> Why;
    list_events(request: ListEvents) -> EventPage;
    list_runners() -> RunnerList;
    create_token(request: CreateToken) -> CreatedToken;
    revoke_token(id: TokenId) -> TokenView;
    list_tokens() -> TokenList;
}
