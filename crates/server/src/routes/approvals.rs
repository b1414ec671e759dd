//! Approvals: asked for by running agents, decided by people.

use dogwatch_api::{
    ApprovalPage, ApprovalView, DecideApproval, ListApprovals, RequestApproval, Scope, Verdict,
};
use dogwatch_core::ids::{ApprovalId, ProjectId};
use dogwatch_core::schemars::JsonSchema;
use serde::Deserialize;

use super::query::words;
use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::reply::Reply;
use crate::route::{Access, Answer, Route, schema_of};

pub(super) const ROUTES: &[Route] = &[
    Route::post(
        "requestApproval",
        "/v1/approvals",
        "Asks a person on behalf of a running agent.",
        Access::AnyOf(&[Scope::Agent, Scope::Runner]),
        (
            schema_of::<RequestApproval>,
            Answer::Json(schema_of::<ApprovalView>),
        ),
        |exchange| Box::pin(request(exchange)),
    ),
    Route::get(
        "listApprovals",
        "/v1/approvals",
        "Lists approvals, newest first. A running agent sees those it asked for.",
        Access::AnyOf(&[Scope::Read, Scope::Agent]),
        Answer::Json(schema_of::<ApprovalPage>),
        |exchange| Box::pin(list(exchange)),
    )
    .query(schema_of::<ApprovalsQuery>),
    Route::get(
        "getApproval",
        "/v1/approvals/{approval}",
        "Shows an approval.",
        Access::AnyOf(&[Scope::Read, Scope::Agent]),
        Answer::Json(schema_of::<ApprovalView>),
        |exchange| Box::pin(show(exchange)),
    ),
    Route::post(
        "decideApproval",
        "/v1/approvals/{approval}/decide",
        "Approves or rejects.",
        Access::AnyOf(&[Scope::Approve]),
        (
            schema_of::<DecideBody>,
            Answer::Json(schema_of::<ApprovalView>),
        ),
        |exchange| Box::pin(decide(exchange)),
    ),
];

/// Which approvals to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", inline)]
struct ApprovalsQuery {
    /// Of one project.
    project: Option<ProjectId>,
    /// In one of these states, with commas between them; pending ones if not given.
    state: Option<String>,
    /// The most items, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A person decides.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
struct DecideBody {
    /// The approval of the path, where a client says it twice.
    approval: Option<ApprovalId>,
    /// What they say.
    verdict: Verdict,
    /// With which words.
    note: Option<String>,
}

async fn request(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request: RequestApproval = exchange.json()?;
    Reply::json(&exchange.plane()?.request_approval(request).await?)
}

async fn list(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let query: ApprovalsQuery = exchange.query()?;
    let request = ListApprovals {
        project: query.project,
        states: words("state", query.state.as_deref())?,
        limit: query.limit,
        cursor: query.cursor,
    };
    Reply::json(&exchange.plane()?.list_approvals(request).await?)
}

async fn show(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let approval = exchange.parameter("approval")?;
    Reply::json(&exchange.plane()?.approval(approval).await?)
}

async fn decide(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let body: DecideBody = exchange.json()?;
    let request = DecideApproval {
        approval: exchange.same("approval", body.approval)?,
        verdict: body.verdict,
        note: body.note,
    };
    Reply::json(&exchange.plane()?.decide_approval(request).await?)
}
