//! Runs: what they did, as their journals and their agents' output tell it, also while they do it.

use dogwatch_api::{
    BundleFiles, ListRuns, OutputList, OutputPiece, OutputStream, ReadOutput, RunDetail, RunPage,
    Scope,
};
use dogwatch_core::event::Envelope;
use dogwatch_core::ids::{JobId, ProjectId};
use dogwatch_core::schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::reply::Reply;
use crate::route::{Access, Answer, Route, schema_of};
use crate::streams::{Journal, Output, OutputEvent};

/// The media type of lines that are JSON each.
const JSON_LINES: &str = "application/jsonl";

/// How much output is read at once, if nothing else is asked for.
const PIECE: u32 = 64 * 1024;

const READ: Access = Access::AnyOf(&[Scope::Read]);
const READ_OR_OWN: Access = Access::AnyOf(&[Scope::Read, Scope::Agent]);

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "listRuns",
        "/v1/runs",
        "Lists runs, newest first.",
        READ,
        Answer::Json(schema_of::<RunPage>),
        |exchange| Box::pin(list(exchange)),
    )
    .query(schema_of::<RunsQuery>),
    Route::get(
        "getRun",
        "/v1/runs/{run}",
        "Shows a run.",
        READ_OR_OWN,
        Answer::Json(schema_of::<RunDetail>),
        |exchange| Box::pin(show(exchange)),
    ),
    Route::get(
        "getJournal",
        "/v1/runs/{run}/journal",
        "Lines of a run's journal, exactly as the server holds them; ask again after the last until none come.",
        READ,
        Answer::Bytes(JSON_LINES),
        |exchange| Box::pin(journal(exchange)),
    )
    .query(schema_of::<After>),
    Route::get(
        "streamJournal",
        "/v1/runs/{run}/journal/stream",
        "The lines of a run's journal as they come, each as an event `line`; ends with the run.",
        READ,
        Answer::Events(schema_of::<Envelope>),
        |exchange| Box::pin(stream_journal(exchange)),
    )
    .query(schema_of::<After>),
    Route::get(
        "listOutput",
        "/v1/runs/{run}/logs",
        "Says what a run's agent printed: which turns and streams there are.",
        READ,
        Answer::Json(schema_of::<OutputList>),
        |exchange| Box::pin(list_output(exchange)),
    ),
    Route::get(
        "readOutput",
        "/v1/runs/{run}/logs/{turn}/{stream}",
        "A piece of what a run's agent printed.",
        READ,
        Answer::Json(schema_of::<OutputPiece>),
        |exchange| Box::pin(read_output(exchange)),
    )
    .query(schema_of::<Range>),
    Route::get(
        "streamOutput",
        "/v1/runs/{run}/logs/stream",
        "What a run's agent prints, as it comes, each piece as an event `output`; ends with the run.",
        READ,
        Answer::Events(schema_of::<OutputEvent>),
        |exchange| Box::pin(stream_output(exchange)),
    ),
    Route::get(
        "getBundle",
        "/v1/runs/{run}/bundle",
        "The files of a run's bundle, each of which is a blob.",
        READ,
        Answer::Json(schema_of::<BundleFiles>),
        |exchange| Box::pin(bundle(exchange)),
    ),
    Route::get(
        "getContract",
        "/v1/contracts/{sha256}",
        "The stored bytes of a contract.",
        READ,
        Answer::Bytes("application/json"),
        |exchange| Box::pin(contract(exchange)),
    ),
];

/// Which runs to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", inline)]
struct RunsQuery {
    /// Of one project.
    project: Option<ProjectId>,
    /// Of one job.
    job: Option<JobId>,
    /// The most items, 1 to 500; 50 if not given.
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// From which line on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", inline)]
struct After {
    /// After this line; from the first if not given.
    after: Option<u64>,
}

/// Which piece.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", inline)]
struct Range {
    /// From where, in bytes; from the beginning if not given.
    offset: Option<u64>,
    /// The most bytes, up to 1 MiB; 64 KiB if not given.
    limit: Option<u32>,
}

async fn list(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let query: RunsQuery = exchange.query()?;
    let request = ListRuns {
        project: query.project,
        job: query.job,
        limit: query.limit,
        cursor: query.cursor,
    };
    Reply::json(&exchange.plane()?.list_runs(request).await?)
}

async fn show(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let run = exchange.run().await?;
    Reply::json(&exchange.plane()?.run(run).await?)
}

async fn journal(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let query: After = exchange.query()?;
    let run = exchange.run().await?;
    let after = query.after.unwrap_or(0);
    let mut text = Vec::new();
    for line in exchange.plane()?.run_lines(run, after).await? {
        text.extend(line);
        text.push(b'\n');
    }
    Ok(Reply::bytes(JSON_LINES, text))
}

async fn stream_journal(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let query: After = exchange.query()?;
    let run = exchange.run().await?;
    let after = exchange.position(query.after)?;
    let source = Journal::new(exchange.plane()?, run, exchange.looks());
    source.known().await?;
    Ok(Reply::events(source, after))
}

async fn list_output(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let run = exchange.run().await?;
    Reply::json(&exchange.plane()?.list_output(run).await?)
}

async fn read_output(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let query: Range = exchange.query()?;
    let stream: OutputStream = exchange.word("stream")?;
    let request = ReadOutput {
        turn: exchange.parameter("turn")?,
        stream,
        offset: query.offset.unwrap_or(0),
        limit: query.limit.unwrap_or(PIECE),
        run: exchange.run().await?,
    };
    Reply::json(&exchange.plane()?.read_output(request).await?)
}

async fn stream_output(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let run = exchange.run().await?;
    let after = exchange.last_event_id()?;
    let source = Output::new(exchange.plane()?, run, exchange.looks());
    source.known(after.as_deref()).await?;
    Ok(Reply::events(source, after))
}

async fn bundle(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let run = exchange.run().await?;
    Reply::json(&exchange.plane()?.bundle(run).await?)
}

async fn contract(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let hash = exchange.parameter("sha256")?;
    let bytes = exchange.plane()?.contract(hash).await?;
    Ok(Reply::bytes("application/json", bytes))
}
