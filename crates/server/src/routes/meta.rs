//! The server about itself.

use std::sync::LazyLock;

use axum::body::Bytes;
use dogwatch_api::{Caller, Problem, ProblemCode, Scope};
use dogwatch_core::schemars::JsonSchema;
use serde::Serialize;

use crate::exchange::Exchange;
use crate::metrics::MEDIA;
use crate::openapi;
use crate::problem::HttpProblem;
use crate::problem_codes::{INTERNAL_ERROR, NOT_READY};
use crate::reply::Reply;
use crate::route::{Access, Answer, Route, schema_of};

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "health",
        "/healthz",
        "Says that the process answers.",
        Access::Public,
        Answer::Json(schema_of::<Health>),
        |_| Box::pin(async { Reply::json(&Health { status: "ok" }) }),
    ),
    Route::get(
        "readiness",
        "/readyz",
        "Says whether the control plane can do its work.",
        Access::Public,
        Answer::Json(schema_of::<Health>),
        |exchange| Box::pin(ready(exchange)),
    ),
    Route::get(
        "openapi",
        "/v1/openapi.json",
        "This document.",
        Access::Public,
        Answer::Bytes("application/json"),
        |_| Box::pin(async { Ok(Reply::bytes("application/json", DOCUMENT.clone())) }),
    ),
    Route::get(
        "metrics",
        "/metrics",
        "Counters in the OpenMetrics text format.",
        Access::AnyOf(&[Scope::Read]),
        Answer::Bytes(MEDIA),
        |exchange| Box::pin(metrics(exchange)),
    ),
];

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi::document().to_string().into());

/// That the server is well.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "dogwatch_core::schemars")]
struct Health {
    /// `ok`; anything else is a problem.
    status: &'static str,
}

async fn ready(exchange: Exchange) -> Result<Reply, HttpProblem> {
    if exchange.app.stopping.has_begun() {
        return Err(NOT_READY.because("the server is stopping"));
    }
    match exchange.app.readiness.ready().await {
        Ok(()) => Reply::json(&Health { status: "ok" }),
        Err(missing) => Err(NOT_READY.because(missing.reason)),
    }
}

async fn metrics(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let metrics = &exchange.app.metrics;
    if exchange.caller()?.projects.is_some() {
        let next = "use a token that is bound to no project";
        return Err(Problem::new(
            ProblemCode::Forbidden,
            "project_forbidden",
            "the counters are those of all projects",
            next,
        )
        .into());
    }
    let system = exchange.app.planes.plane(Caller::system());
    metrics.catch_up(&*system).await?;
    let text = metrics
        .text()
        .map_err(|_| INTERNAL_ERROR.because("the counters cannot be written"))?;
    Ok(Reply::bytes(MEDIA, text))
}
