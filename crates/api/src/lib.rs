//! The language between those who ask and the control plane: requests, responses, problems, and the trait both sides speak.

mod caller;
mod control_plane;
mod problem;
mod requests;

pub use caller::{Caller, LeaseClaim, Scope};
pub use control_plane::ControlPlane;
pub use problem::{Problem, ProblemCode};
pub use requests::{
    AppendEvents, Appended, CancelJob, Claim, Claimed, ClaimedJob, CleanUpRun, CompleteRun,
    Directive, Heartbeat, HeartbeatReply, HeldLease, JobPage, JobRef, LeaseDirective, ListJobs,
    ListRuns, Recovered, ReleaseJob, Retried, RetryJob, RevokeLease, RunDetail, RunPage, StartRun,
    Started, Submit, Submitted,
};
