//! The commands of approvals and of parked runs.

use dogwatch_core::Sha256Digest;
use dogwatch_core::Timestamp;
use dogwatch_core::event::{Actor, Via};
use dogwatch_core::ids::{ApprovalId, RunId};
use dogwatch_core::job::{
    DecideApproval, ExpireLease, JobCommand, ParkReason, ParkRun, RequestApproval, RunOutcome,
    Verdict,
};

use super::bench::Bench;
use super::commands::Held;

/// Who runs, and asks.
pub(super) const AGENT: &str = "agent:suite";

impl Bench {
    /// An id of an approval to come.
    pub fn new_approval(&self) -> ApprovalId {
        ApprovalId::mint(self.clock.as_ref(), self.entropy.as_ref())
    }

    /// The command by which a running agent asks a person.
    pub fn request_command(&self, held: Held, run: RunId, approval: ApprovalId) -> JobCommand {
        JobCommand::RequestApproval(RequestApproval {
            lease: held.lease,
            epoch: held.epoch,
            run,
            approval,
            action: "{\"action\":\"shell\",\"command\":\"make release\"}".to_owned(),
            reason: "the task asks for it".to_owned(),
            policy: Sha256Digest::of(b"policy"),
            actor: Actor::new(AGENT, Via::Mcp),
            ttl_ms: 60_000,
        })
    }

    /// The command by which a person decides.
    pub fn decide_command(&self, approval: ApprovalId, verdict: Verdict) -> JobCommand {
        self.decide_command_of("user:ana", approval, verdict)
    }

    /// The command by which somebody decides.
    pub fn decide_command_of(
        &self,
        principal: &str,
        approval: ApprovalId,
        verdict: Verdict,
    ) -> JobCommand {
        JobCommand::DecideApproval(DecideApproval {
            approval,
            verdict,
            note: Some("looked at it".to_owned()),
            actor: Actor::new(principal, Via::Http),
        })
    }

    /// The command that sets a run aside.
    pub fn park_command(
        &self,
        held: Held,
        run: RunId,
        until: Option<Timestamp>,
        approval: Option<ApprovalId>,
    ) -> JobCommand {
        JobCommand::Park(ParkRun {
            lease: held.lease,
            epoch: held.epoch,
            run,
            reason: match approval {
                Some(_) => ParkReason::Approval,
                None => ParkReason::Limit,
            },
            until,
            approval,
        })
    }

    /// The command that ends a lease which nobody renewed.
    pub fn expire_command(&self, held: Held) -> JobCommand {
        JobCommand::ExpireLease(ExpireLease {
            lease: held.lease,
            closure: self.closure(RunOutcome::Orphaned),
        })
    }
}
