//! Requests and responses, by area. They are data only; their meaning stands in the engine.

mod approvals;
mod events;
mod jobs;
mod runner;
mod runs;
mod text;
mod tokens;

pub use approvals::{
    ApprovalPage, ApprovalView, DecideApproval, ListApprovals, RequestApproval, Verdict,
};
pub use events::{EventPage, ListEvents, LogEntry};
pub use jobs::{
    CancelJob, Cause, ClaimedJob, Continue, JobPage, JobRef, JobView, ListJobs, Retried, RetryJob,
    Submit, Submitted, Why,
};
pub use runner::{
    AppendEvents, AppendOutput, Appended, Claim, Claimed, CleanUpRun, CompleteRun, DeclareBundle,
    Directive, Heartbeat, HeartbeatReply, HeldLease, LeaseDirective, OutputAppended, OutputStream,
    ParkRun, PostMessage, RUNNER_PROTOCOL, Recovered, ReleaseJob, RevokeLease, RunnerList,
    RunnerView, StartRun, Started, SyncRunner, Synced,
};
pub use runs::{
    BundleFiles, JudgeRun, LandRun, ListRuns, OutputLength, OutputList, OutputPiece, ReadOutput,
    RunDetail, RunPage, RunVerdict,
};
pub use tokens::{CreateToken, CreatedToken, TokenList, TokenView};
