//! What may be asked of a job stream.

use super::event::{Decided, Submitted};
use super::lease::Holder;
use super::run_header::{Cleanup, RunClosure, StartFrom};
use crate::event::Epoch;
use crate::ids::{ClaimId, LeaseId, MachineId, RunId, SessionId};

/// A request for work, already decided on by policy.
#[derive(Clone, Debug)]
pub struct SubmitJob {
    /// The policy's answer; a denial makes the job `denied` at once.
    pub decision: Decided,
    /// The facts.
    pub facts: Submitted,
}

/// A runner takes the job.
#[derive(Clone, Debug)]
pub struct ClaimJob {
    /// The policy's answer to the dispatch.
    pub decision: Decided,
    /// The claim it answers.
    pub claim: ClaimId,
    /// The id of the lease to grant.
    pub lease: LeaseId,
    /// The machine.
    pub machine: MachineId,
    /// The process.
    pub holder: Option<Holder>,
    /// How long the lease lives without a renewal.
    pub ttl_ms: u64,
}

/// The holder starts a run.
#[derive(Clone, Debug)]
pub struct StartRun {
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The id of the run to create.
    pub run: RunId,
    /// The agent session it belongs to.
    pub session: Option<SessionId>,
    /// The run it continues.
    pub continues: Option<RunId>,
    /// What its workspace starts from.
    pub start_from: StartFrom,
}

/// The holder reports the end of a run and gives the lease back.
#[derive(Clone, Debug)]
pub struct CloseRun {
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub closure: RunClosure,
}

/// The holder gives the job back without a run.
#[derive(Clone, Debug)]
pub struct ReleaseLease {
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Why.
    pub reason: String,
}

/// The control plane takes a lease away from a holder that is known to be dead.
#[derive(Clone, Debug)]
pub struct RevokeLease {
    /// The lease.
    pub lease: LeaseId,
    /// How its open run is closed, if it has one.
    pub closure: RunClosure,
    /// Why.
    pub reason: String,
}

/// Someone calls the job off.
#[derive(Clone, Debug)]
pub struct CancelJob {
    /// Why.
    pub reason: String,
}

/// Someone asks for one more attempt of a blocked job.
#[derive(Clone, Debug)]
pub struct RetryJob {
    /// Why.
    pub reason: String,
}

/// A command to a job stream.
#[derive(Clone, Debug)]
pub enum JobCommand {
    /// See [`SubmitJob`].
    Submit(SubmitJob),
    /// See [`ClaimJob`].
    Claim(ClaimJob),
    /// See [`StartRun`].
    Start(StartRun),
    /// See [`CloseRun`].
    Close(CloseRun),
    /// See [`ReleaseLease`].
    Release(ReleaseLease),
    /// See [`RevokeLease`].
    Revoke(RevokeLease),
    /// See [`CancelJob`].
    Cancel(CancelJob),
    /// See [`RetryJob`].
    Retry(RetryJob),
    /// What happened to the workspace of a closed run.
    CleanUp {
        /// The run.
        run: RunId,
        /// What happened.
        cleanup: Cleanup,
    },
}
