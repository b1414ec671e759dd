//! What may be asked of a job stream.

use super::event::{Decided, GoOn, Submitted};
use super::judgement::Landed;
use super::lease::Holder;
use super::park::ParkReason;
use super::run_header::{Cleanup, RunClosure, StartFrom};
use crate::event::{Actor, Epoch};
use crate::ids::{ApprovalId, ClaimId, LeaseId, RunId, SessionId};
use crate::queue::Offer;
use crate::time::Timestamp;

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
    /// The machine that takes it, and what it has to offer.
    pub offer: Offer,
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

/// A lease was not renewed for its whole life: the reaper watched.
#[derive(Clone, Debug)]
pub struct ExpireLease {
    /// The lease.
    pub lease: LeaseId,
    /// How its open run is closed, if it has one.
    pub closure: RunClosure,
}

/// The holder sets the run aside until what it waits for is there, and gives the lease back.
#[derive(Clone, Debug)]
pub struct ParkRun {
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The run.
    pub run: RunId,
    /// For what.
    pub reason: ParkReason,
    /// The instant it may go on at, where there is one.
    pub until: Option<Timestamp>,
    /// The approval it waits for.
    pub approval: Option<ApprovalId>,
}

/// A running agent asks a person.
#[derive(Clone, Debug)]
pub struct RequestApproval {
    /// The lease its run has.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The run.
    pub run: RunId,
    /// The id of the approval to make.
    pub approval: ApprovalId,
    /// The exact bytes of what it wants to do.
    pub action: String,
    /// Why.
    pub reason: String,
    /// The policy snapshot in force.
    pub policy: crate::canonical::Sha256Digest,
    /// Who asks.
    pub actor: Actor,
    /// How long it waits for a decision.
    pub ttl_ms: u64,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

/// A person decides.
#[derive(Clone, Debug)]
pub struct DecideApproval {
    /// The approval.
    pub approval: ApprovalId,
    /// What they say.
    pub verdict: Verdict,
    /// With which words.
    pub note: Option<String>,
    /// Who decides.
    pub actor: Actor,
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
    /// What its next run continues; from the base otherwise.
    pub goes_on: Option<GoOn>,
}

/// What a person says about a run.
#[derive(Clone, Debug)]
pub enum RunVerdict {
    /// Its change is wanted. The policy has a word in it: a denial is recorded and changes nothing else.
    Promote(Decided),
    /// It is not.
    Reject,
}

/// A person judges a closed run.
#[derive(Clone, Debug)]
pub struct JudgeRun {
    /// The run.
    pub run: RunId,
    /// What they say.
    pub verdict: RunVerdict,
    /// The manifest of the evidence they looked at.
    pub manifest: crate::canonical::Sha256Digest,
    /// Why.
    pub reason: Option<String>,
    /// Who says it.
    pub actor: Actor,
}

/// A promoted change came into a repository.
#[derive(Clone, Debug)]
pub struct LandRun {
    /// The run.
    pub run: RunId,
    /// The manifest of the evidence it was promoted with.
    pub manifest: crate::canonical::Sha256Digest,
    /// Where it is.
    pub landed: Landed,
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
    /// See [`ExpireLease`].
    ExpireLease(ExpireLease),
    /// See [`ParkRun`].
    Park(ParkRun),
    /// See [`RequestApproval`].
    RequestApproval(RequestApproval),
    /// See [`DecideApproval`].
    DecideApproval(DecideApproval),
    /// Nobody decided in time.
    ExpireApproval {
        /// The approval.
        approval: ApprovalId,
    },
    /// The wait of a queued or parked job is over.
    MakeDue {},
    /// The job's deadline passed before it started.
    ExpireJob {},
    /// Progress of an open run, from its holder.
    Message {
        /// The lease.
        lease: LeaseId,
        /// Its epoch.
        epoch: Epoch,
        /// The run.
        run: RunId,
        /// What it is about.
        topic: String,
        /// The text.
        text: String,
    },
    /// See [`CancelJob`].
    Cancel(CancelJob),
    /// See [`RetryJob`].
    Retry(RetryJob),
    /// See [`JudgeRun`].
    Judge(JudgeRun),
    /// See [`LandRun`].
    Land(LandRun),
    /// What happened to the workspace of a closed run.
    CleanUp {
        /// The run.
        run: RunId,
        /// What happened.
        cleanup: Cleanup,
    },
}
