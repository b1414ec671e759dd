//! The control log, as pages and as a stream.

use dogwatch_api::{EventPage, ListEvents, LogEntry, Scope};
use dogwatch_core::ids::{JobId, ProjectId};
use dogwatch_core::schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::reply::Reply;
use crate::route::{Access, Answer, Route, schema_of};
use crate::streams::ControlLog;

const READ: Access = Access::AnyOf(&[Scope::Read]);

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "listEvents",
        "/v1/events",
        "The control log, oldest first.",
        READ,
        Answer::Json(schema_of::<EventPage>),
        |exchange| Box::pin(list(exchange)),
    )
    .query(schema_of::<EventsQuery>),
    Route::get(
        "streamEvents",
        "/v1/events/stream",
        "The control log as it grows, each entry as an event `entry`.",
        READ,
        Answer::Events(schema_of::<LogEntry>),
        |exchange| Box::pin(stream(exchange)),
    )
    .query(schema_of::<StreamQuery>),
];

/// Which events.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", inline)]
struct EventsQuery {
    /// After this position; from the beginning if not given.
    after: Option<u64>,
    /// Of one job.
    job: Option<JobId>,
    /// Of one project.
    project: Option<ProjectId>,
    /// The most items, 1 to 1,000; 100 if not given.
    limit: Option<u32>,
}

/// Which events, for a stream.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", inline)]
struct StreamQuery {
    /// After this position; from the beginning if not given. `Last-Event-ID` counts more.
    after: Option<u64>,
    /// Of one job.
    job: Option<JobId>,
    /// Of one project.
    project: Option<ProjectId>,
}

async fn list(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let query: EventsQuery = exchange.query()?;
    let request = ListEvents {
        after: query.after,
        job: query.job,
        project: query.project,
        limit: query.limit,
    };
    Reply::json(&exchange.plane()?.list_events(request).await?)
}

async fn stream(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let query: StreamQuery = exchange.query()?;
    let after = exchange.position(query.after)?;
    let which = ListEvents {
        after: None,
        job: query.job,
        project: query.project,
        limit: None,
    };
    let source = ControlLog::new(exchange.plane()?, which, exchange.looks());
    source.allowed().await?;
    Ok(Reply::events(source, after))
}
