//! Looking at approvals.

use dogwatch_api::{ApprovalPage, ApprovalView, Caller, ListApprovals, Problem, Scope};
use dogwatch_core::ids::ApprovalId;
use dogwatch_core::job::{ApprovalState, Job};
use dogwatch_store::{ApprovalFilter, ApprovalRow};

use super::read::page;
use crate::Engine;
use crate::access::agent;
use crate::problems;

impl Engine {
    pub(super) async fn approval_row(&self, id: ApprovalId) -> Result<ApprovalRow, Problem> {
        self.store
            .approval(id)
            .await
            .map_err(problems::from_store)?
            .ok_or_else(|| no_approval(id))
    }

    /// An approval. A running agent sees those it asked for.
    pub async fn approval(&self, caller: &Caller, id: ApprovalId) -> Result<ApprovalView, Problem> {
        let own = agent(caller);
        if own.is_none() {
            Self::allow(caller, Scope::Read)?;
        }
        let row = self.approval_row(id).await?;
        if let Some(claim) = own
            && row.approval.run != Some(claim.run)
        {
            return Err(problems::other_run(claim.run));
        }
        Self::allow_project(caller, row.project)?;
        Ok(view(row))
    }

    /// Approvals, newest first: those that wait, unless others are asked for. A running agent sees all that it asked for, on one page.
    pub async fn list_approvals(
        &self,
        caller: &Caller,
        request: ListApprovals,
    ) -> Result<ApprovalPage, Problem> {
        let states = if request.states.is_empty() {
            vec![ApprovalState::Pending]
        } else {
            request.states
        };
        if let Some(claim) = agent(caller) {
            let job = self.load(claim.job).await?;
            let own = job.approvals.iter().rev().filter(|approval| {
                approval.run == Some(claim.run) && states.contains(&approval.state)
            });
            return Ok(ApprovalPage {
                items: own.map(|approval| shown(&job, approval)).collect(),
                next_cursor: None,
            });
        }
        Self::allow(caller, Scope::Read)?;
        let filter = ApprovalFilter {
            project: Self::listed_project(caller, request.project)?,
            states,
        };
        let page = self
            .store
            .approvals(filter, page(request.limit, request.cursor))
            .await
            .map_err(problems::from_store)?;
        Ok(ApprovalPage {
            items: page
                .items
                .into_iter()
                .filter(|row| caller.may_see(row.project))
                .map(view)
                .collect(),
            next_cursor: page.next_cursor,
        })
    }
}

/// An approval as it stands in its job.
pub(super) fn view_in(job: &Job, id: ApprovalId) -> Result<ApprovalView, Problem> {
    job.approval(id)
        .map(|approval| shown(job, approval))
        .ok_or_else(|| no_approval(id))
}

fn shown(job: &Job, approval: &dogwatch_core::job::Approval) -> ApprovalView {
    ApprovalView {
        job: job.id,
        project: job.project,
        title: job.title.clone(),
        approval: approval.clone(),
    }
}

fn view(row: ApprovalRow) -> ApprovalView {
    ApprovalView {
        job: row.job,
        project: row.project,
        title: row.title,
        approval: row.approval,
    }
}

fn no_approval(id: ApprovalId) -> Problem {
    Problem::new(
        dogwatch_api::ProblemCode::NotFound,
        "approval_not_found",
        format!("there is no {id}"),
        "list what waits with `dogwatch approvals list`",
    )
}
