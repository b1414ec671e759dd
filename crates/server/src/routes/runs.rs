//! Runs: what they did, as their journals and their agents' output tell it, also while they do it.

use dogwatch_api::{
    BundleFiles, JudgeRun, LandRun, ListRuns, OutputList, OutputPiece, OutputStream, ReadOutput,
    RunDetail, RunPage, RunVerdict, Scope,
};
use dogwatch_core::Sha256Digest;
use dogwatch_core::event::Envelope;
use dogwatch_core::ids::{JobId, ProjectId, RunId};
use dogwatch_core::job::Landed;
use dogwatch_core::schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::problem_codes::REQUEST_INVALID;
use crate::reply::Reply;
use crate::route::{Access, Answer, Route, schema_of};
use crate::streams::{Journal, Output, OutputEvent};

/// The media type of lines that are JSON each.
const JSON_LINES: &str = "application/jsonl";

/// How much output is read at once, if nothing else is asked for.
const PIECE: u32 = 64 * 1024;

const READ: Access = Access::AnyOf(&[Scope::Read]);
const JUDGE: Access = Access::AnyOf(&[Scope::Approve]);
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
    Route::post(
        "promoteRun",
        "/v1/runs/{run}/promote",
        "Says that a run's change is wanted. It lands by `dogwatch promote` where the repository is.",
        JUDGE,
        (schema_of::<JudgeBody>, Answer::Json(schema_of::<RunDetail>)),
        |exchange| Box::pin(judge(exchange, RunVerdict::Promote)),
    ),
    Route::post(
        "rejectRun",
        "/v1/runs/{run}/reject",
        "Says that a run's change is not wanted.",
        JUDGE,
        (schema_of::<JudgeBody>, Answer::Json(schema_of::<RunDetail>)),
        |exchange| Box::pin(judge(exchange, RunVerdict::Reject)),
    ),
    Route::post(
        "landRun",
        "/v1/runs/{run}/landed",
        "Records where the change of a promoted run is.",
        JUDGE,
        (schema_of::<LandBody>, Answer::Json(schema_of::<RunDetail>)),
        |exchange| Box::pin(land(exchange)),
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

/// What a person says about a run.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
struct JudgeBody {
    /// The run of the path, where a client says it twice.
    run: Option<RunId>,
    /// The manifest of the evidence they looked at: the verdict is about that and nothing else.
    manifest: Sha256Digest,
    /// Why.
    reason: Option<String>,
}

/// Where the change of a promoted run is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
struct LandBody {
    /// The run of the path, where a client says it twice.
    run: Option<RunId>,
    /// The manifest of the evidence it was promoted with.
    manifest: Sha256Digest,
    /// Where it is.
    landed: Landed,
}

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

/// The run of the path, unless the body is about another.
async fn judged(exchange: &Exchange, again: Option<RunId>) -> Result<RunId, HttpProblem> {
    let run = exchange.run().await?;
    if again.is_some_and(|again| again != run) {
        return Err(REQUEST_INVALID.because("the body is for another run than the path"));
    }
    Ok(run)
}

async fn judge(exchange: Exchange, verdict: RunVerdict) -> Result<Reply, HttpProblem> {
    let body: JudgeBody = exchange.json()?;
    let request = JudgeRun {
        run: judged(&exchange, body.run).await?,
        verdict,
        manifest: body.manifest,
        reason: body.reason,
    };
    Reply::json(&exchange.plane()?.judge_run(request).await?)
}

async fn land(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let body: LandBody = exchange.json()?;
    let request = LandRun {
        run: judged(&exchange, body.run).await?,
        manifest: body.manifest,
        landed: body.landed,
    };
    Reply::json(&exchange.plane()?.land_run(request).await?)
}

async fn contract(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let hash = exchange.parameter("sha256")?;
    let bytes = exchange.plane()?.contract(hash).await?;
    Ok(Reply::bytes("application/json", bytes))
}
