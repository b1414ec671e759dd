//! The job stream: one control stream per job holds the job, its leases, the headers of its runs and the decisions about it.
//!
//! `decide` turns a command into events without side effects; `apply` folds events into the state that every listing is made from.

mod apply;
mod approval;
mod command;
pub mod decide;
mod event;
mod judgement;
mod lease;
mod park;
mod refusal;
mod run_header;
mod state;
mod timers;

pub use approval::{
    Approval, ApprovalDecision, ApprovalKind, ApprovalState, MAX_ACTION_BYTES, StartApproval,
};
pub use command::{
    CancelJob, ClaimJob, CloseRun, DecideApproval, ExpireLease, JobCommand, JudgeRun, LandRun,
    ParkRun, ReleaseLease, RequestApproval, RetryJob, RevokeLease, RunVerdict, StartRun, SubmitJob,
    Verdict,
};
pub use decide::decide;
pub use event::{Decided, DecisionEffect, GoOn, JobEvent, MAX_SAY_BYTES, Submitted};
pub use judgement::{Judgement, JudgementKind, Landed, LandedHow};
pub use lease::{Holder, Lease, LeaseState};
pub use park::ParkReason;
pub use refusal::Refusal;
pub use run_header::{
    Assurance, Cleanup, CleanupState, RunClosure, RunHeader, RunOutcome, StartFrom,
};
pub use state::{CancelRequest, Job, JobState, JobStatus, JobStream};
pub use timers::Timer;

/// How often a job is started without a person asking: the fourth start needs one.
pub const MAX_AUTOMATIC_ATTEMPTS: u32 = 3;
