//! A person decides.

use dogwatch_api::{ApprovalView, Caller, DecideApproval, Problem, ProblemCode, Scope, Verdict};
use dogwatch_core::job::{self, JobCommand};

use super::approvals::view_in;
use crate::Engine;
use crate::access::is_person;
use crate::problems;
use crate::texts::fit;

/// The longest note, as it stands in an event.
const MAX_NOTE: usize = 400;

impl Engine {
    /// Approves or rejects. Only a person does: no running agent, no runner, and never the one who asked.
    pub async fn decide_approval(
        &self,
        caller: &Caller,
        request: DecideApproval,
    ) -> Result<ApprovalView, Problem> {
        Self::allow(caller, Scope::Approve)?;
        if !is_person(caller) {
            return Err(Problem::new(
                ProblemCode::Forbidden,
                "approval_self",
                "what runs jobs does not approve them",
                "have a person decide, with a token that has neither `runner` nor `agent`",
            ));
        }
        let row = self.approval_row(request.approval).await?;
        Self::allow_project(caller, row.project)?;
        let command = JobCommand::DecideApproval(job::DecideApproval {
            approval: request.approval,
            verdict: match request.verdict {
                Verdict::Approve => job::Verdict::Approve,
                Verdict::Reject => job::Verdict::Reject,
            },
            note: request.note.map(|note| fit(&note, MAX_NOTE)),
            actor: caller.actor(),
        });
        let job = self
            .carry_out(caller, row.project, row.job, command)
            .await
            .map_err(problems::from_store)?;
        view_in(&job, request.approval)
    }
}
