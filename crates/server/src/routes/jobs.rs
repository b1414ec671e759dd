//! Jobs: asking for work, looking at it, calling it off, asking again.

use dogwatch_api::{
    CancelJob, Continue, JobPage, JobRef, JobView, ListJobs, Retried, RetryJob, Scope, Submit,
    Submitted, Why,
};
use dogwatch_core::ids::{JobId, ProjectId};
use dogwatch_core::job::Job;
use dogwatch_core::schemars::JsonSchema;
use serde::Deserialize;

use super::query::words;
use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::reply::Reply;
use crate::route::{Access, Answer, Route, schema_of};

const READ: Access = Access::AnyOf(&[Scope::Read]);
const READ_OR_OWN: Access = Access::AnyOf(&[Scope::Read, Scope::Agent]);
const OPERATE: Access = Access::AnyOf(&[Scope::Operate]);

pub(super) const ROUTES: &[Route] = &[
    Route::post(
        "submitJob",
        "/v1/jobs",
        "Asks for work.",
        Access::AnyOf(&[Scope::Submit]),
        (schema_of::<Submit>, Answer::Json(schema_of::<Submitted>)),
        |exchange| Box::pin(submit(exchange)),
    )
    .keyed(),
    Route::get(
        "listJobs",
        "/v1/jobs",
        "Lists jobs, newest first.",
        READ,
        Answer::Json(schema_of::<JobPage>),
        |exchange| Box::pin(list(exchange)),
    )
    .query(schema_of::<JobsQuery>),
    Route::get(
        "getJob",
        "/v1/jobs/{job}",
        "Shows a job and what the queue says of it.",
        READ_OR_OWN,
        Answer::Json(schema_of::<JobView>),
        |exchange| Box::pin(show(exchange)),
    ),
    Route::post(
        "cancelJob",
        "/v1/jobs/{job}/cancel",
        "Calls a job off, at once or through its runner; needs no lease.",
        OPERATE,
        (schema_of::<CancelBody>, Answer::Json(schema_of::<Job>)),
        |exchange| Box::pin(cancel(exchange)),
    ),
    Route::post(
        "retryJob",
        "/v1/jobs/{job}/retry",
        "Asks for another attempt.",
        OPERATE,
        (schema_of::<RetryBody>, Answer::Json(schema_of::<Retried>)),
        |exchange| Box::pin(retry(exchange)),
    )
    .keyed(),
    Route::get(
        "why",
        "/v1/why/{id}",
        "Says why a job or run stands where it stands.",
        READ,
        Answer::Json(schema_of::<Why>),
        |exchange| Box::pin(why(exchange)),
    ),
    Route::get(
        "resolve",
        "/v1/resolve/{id}",
        "Says which job or run a short id names.",
        READ,
        Answer::Json(schema_of::<JobRef>),
        |exchange| Box::pin(resolve(exchange)),
    ),
];

/// Which jobs to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", inline)]
struct JobsQuery {
    /// Of one project.
    project: Option<ProjectId>,
    /// In one of these states, with commas between them; any if not given.
    status: Option<String>,
    /// The most items, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Someone calls a job off.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
struct CancelBody {
    /// The job of the path, where a client says it twice.
    job: Option<JobId>,
    /// Why.
    reason: String,
}

/// Someone asks for another attempt.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
struct RetryBody {
    /// The job of the path, where a client says it twice.
    job: Option<JobId>,
    /// Why.
    reason: String,
    /// What it continues: the latest run's last snapshot and agent session; from the base if not given.
    goes_on: Option<Continue>,
    /// What the `Idempotency-Key` header says, where a client says it twice.
    idempotency_key: Option<String>,
}

async fn submit(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let mut request: Submit = exchange.json()?;
    request.idempotency_key = exchange.key(request.idempotency_key)?;
    request.trace = exchange.trace_or(request.trace)?;
    Reply::json(&exchange.plane()?.submit(request).await?)
}

async fn list(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let query: JobsQuery = exchange.query()?;
    let request = ListJobs {
        project: query.project,
        statuses: words("status", query.status.as_deref())?,
        limit: query.limit,
        cursor: query.cursor,
    };
    Reply::json(&exchange.plane()?.list_jobs(request).await?)
}

async fn show(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let job = exchange.parameter("job")?;
    Reply::json(&exchange.plane()?.job(job).await?)
}

async fn cancel(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let body: CancelBody = exchange.json()?;
    let request = CancelJob {
        job: exchange.same("job", body.job)?,
        reason: body.reason,
    };
    Reply::json(&exchange.plane()?.cancel(request).await?)
}

async fn retry(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let body: RetryBody = exchange.json()?;
    let request = RetryJob {
        job: exchange.same("job", body.job)?,
        reason: body.reason,
        goes_on: body.goes_on,
        idempotency_key: exchange.key(body.idempotency_key)?,
    };
    Reply::json(&exchange.plane()?.retry(request).await?)
}

async fn why(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let plane = exchange.plane()?;
    let what = plane.resolve(exchange.text("id")).await?;
    Reply::json(&plane.why(what).await?)
}

async fn resolve(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let text = exchange.text("id");
    Reply::json(&exchange.plane()?.resolve(text).await?)
}
