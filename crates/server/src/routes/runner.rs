//! What runners say and ask. Everything after `claim` carries the lease, for the job that the path names.

use dogwatch_api::{
    AppendEvents, AppendOutput, Appended, Claim, Claimed, CleanUpRun, CompleteRun, DeclareBundle,
    Heartbeat, HeartbeatReply, HeldLease, OutputAppended, ParkRun, PostMessage, Recovered,
    ReleaseJob, RevokeLease, RunnerList, Scope, StartRun, Started, SyncRunner, Synced, Wakeup,
};
use dogwatch_core::ids::MachineId;
use dogwatch_core::job::Job;
use dogwatch_core::schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::Exchange;
use crate::problem::HttpProblem;
use crate::reply::Reply;
use crate::route::{Access, Answer, Route, schema_of};
use crate::streams::WakeupFeed;

const RUNNER: Access = Access::AnyOf(&[Scope::Runner]);
const JOB: Answer = Answer::Json(schema_of::<Job>);

/// Journal lines and output come in pieces that are larger than other requests.
const LARGE: u64 = 8 * 1024 * 1024;

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "listRunners",
        "/v1/runners",
        "Lists the runners there are.",
        Access::AnyOf(&[Scope::Read]),
        Answer::Json(schema_of::<RunnerList>),
        |exchange| Box::pin(list(exchange)),
    ),
    Route::post(
        "syncRunner",
        "/v1/runner/sync",
        "Says who a runner is and what it has to offer.",
        RUNNER,
        (schema_of::<SyncRunner>, Answer::Json(schema_of::<Synced>)),
        |exchange| Box::pin(sync(exchange)),
    ),
    Route::post(
        "heartbeat",
        "/v1/runner/heartbeat",
        "Renews leases; the answer says what to do with each.",
        RUNNER,
        (
            schema_of::<Heartbeat>,
            Answer::Json(schema_of::<HeartbeatReply>),
        ),
        |exchange| Box::pin(heartbeat(exchange)),
    ),
    Route::post(
        "claimJobs",
        "/v1/runner/jobs/claim",
        "Takes jobs that are ready, and waits for some if asked to. The same `claim_id` gives the same leases.",
        RUNNER,
        (schema_of::<Claim>, Answer::Json(schema_of::<Claimed>)),
        |exchange| Box::pin(claim(exchange)),
    )
    .waits(),
    Route::get(
        "streamWakeups",
        "/v1/runner/events/stream",
        "What wakes a runner before its next poll: `ready`, `job.available`, `cancel`, `timeout`. A wake-up is never a grant.",
        RUNNER,
        Answer::Events(schema_of::<Wakeup>),
        |exchange| Box::pin(wakeups(exchange)),
    )
    .query(schema_of::<MachineQuery>),
    Route::post(
        "startRun",
        "/v1/runner/jobs/{job}/start",
        "Starts a run under a lease, or goes on with the one that was parked.",
        RUNNER,
        (schema_of::<StartRun>, Answer::Json(schema_of::<Started>)),
        |exchange| Box::pin(start(exchange)),
    ),
    Route::post(
        "postMessage",
        "/v1/runner/jobs/{job}/messages",
        "Posts progress for whoever follows.",
        Access::AnyOf(&[Scope::Runner, Scope::Agent]),
        (schema_of::<PostMessage>, Answer::Empty),
        |exchange| Box::pin(message(exchange)),
    ),
    Route::post(
        "appendEvents",
        "/v1/runner/jobs/{job}/events",
        "Mirrors lines of the run's journal.",
        RUNNER,
        (
            schema_of::<AppendEvents>,
            Answer::Json(schema_of::<Appended>),
        ),
        |exchange| Box::pin(events(exchange)),
    )
    .most(LARGE),
    Route::post(
        "appendOutput",
        "/v1/runner/jobs/{job}/logs",
        "Mirrors what the agent printed. A piece that is there already changes nothing; a gap is refused with the expected offset.",
        RUNNER,
        (
            schema_of::<AppendOutput>,
            Answer::Json(schema_of::<OutputAppended>),
        ),
        |exchange| Box::pin(logs(exchange)),
    )
    .most(LARGE),
    Route::post(
        "declareBundle",
        "/v1/runner/jobs/{job}/bundle",
        "Declares the files of the run's bundle, which are blobs that were sent before.",
        RUNNER,
        (schema_of::<DeclareBundle>, Answer::Empty),
        |exchange| Box::pin(bundle(exchange)),
    )
    .most(LARGE),
    Route::post(
        "parkRun",
        "/v1/runner/jobs/{job}/park",
        "Sets a run aside and ends the lease.",
        RUNNER,
        (schema_of::<ParkRun>, JOB),
        |exchange| Box::pin(park(exchange)),
    ),
    Route::post(
        "completeRun",
        "/v1/runner/jobs/{job}/complete",
        "Closes a run and ends its lease.",
        RUNNER,
        (schema_of::<CompleteRun>, JOB),
        |exchange| Box::pin(complete(exchange)),
    ),
    Route::post(
        "releaseJob",
        "/v1/runner/jobs/{job}/release",
        "Gives a job back before a run was started.",
        RUNNER,
        (schema_of::<ReleaseJob>, JOB),
        |exchange| Box::pin(release(exchange)),
    ),
    Route::post(
        "cleanUpRun",
        "/v1/runner/jobs/{job}/cleanup",
        "Records what happened to a closed run's workspace.",
        RUNNER,
        (schema_of::<CleanUpRun>, JOB),
        |exchange| Box::pin(clean_up(exchange)),
    ),
    Route::post(
        "revokeLease",
        "/v1/runner/jobs/{job}/revoke",
        "Takes a lease from a holder that is known to be dead.",
        Access::AnyOf(&[Scope::Admin]),
        (
            schema_of::<RevokeLease>,
            Answer::Json(schema_of::<Recovered>),
        ),
        |exchange| Box::pin(revoke(exchange)),
    ),
];

/// Who listens.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars", inline)]
struct MachineQuery {
    /// The machine.
    machine: MachineId,
}

/// A body under a lease, which has to be for the job of the path.
fn held<T: serde::de::DeserializeOwned>(
    exchange: &Exchange,
    lease: impl FnOnce(&T) -> &HeldLease,
) -> Result<T, HttpProblem> {
    let body: T = exchange.json()?;
    exchange.same("job", Some(lease(&body).job))?;
    Ok(body)
}

async fn list(exchange: Exchange) -> Result<Reply, HttpProblem> {
    Reply::json(&exchange.plane()?.list_runners().await?)
}

async fn sync(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = exchange.json()?;
    Reply::json(&exchange.plane()?.sync(request).await?)
}

async fn heartbeat(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = exchange.json()?;
    Reply::json(&exchange.plane()?.heartbeat(request).await?)
}

async fn claim(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = exchange.json()?;
    Reply::json(&exchange.plane()?.claim(request).await?)
}

async fn wakeups(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let query: MachineQuery = exchange.query()?;
    let wakeups = exchange.plane()?.wakeups(query.machine).await?;
    Ok(Reply::events(WakeupFeed::new(wakeups), None))
}

async fn start(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = held(&exchange, |request: &StartRun| &request.held)?;
    Reply::json(&exchange.plane()?.start(request).await?)
}

async fn message(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = held(&exchange, |request: &PostMessage| &request.held)?;
    exchange.plane()?.post_message(request).await?;
    Ok(Reply::empty())
}

async fn events(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = held(&exchange, |request: &AppendEvents| &request.held)?;
    Reply::json(&exchange.plane()?.append_events(request).await?)
}

async fn logs(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = held(&exchange, |request: &AppendOutput| &request.held)?;
    Reply::json(&exchange.plane()?.append_output(request).await?)
}

async fn bundle(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = held(&exchange, |request: &DeclareBundle| &request.held)?;
    exchange.plane()?.declare_bundle(request).await?;
    Ok(Reply::empty())
}

async fn park(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = held(&exchange, |request: &ParkRun| &request.held)?;
    Reply::json(&exchange.plane()?.park(request).await?)
}

async fn complete(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = held(&exchange, |request: &CompleteRun| &request.held)?;
    Reply::json(&exchange.plane()?.complete(request).await?)
}

async fn release(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request = held(&exchange, |request: &ReleaseJob| &request.held)?;
    Reply::json(&exchange.plane()?.release(request).await?)
}

async fn clean_up(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request: CleanUpRun = exchange.json()?;
    exchange.same("job", Some(request.job))?;
    Reply::json(&exchange.plane()?.clean_up(request).await?)
}

async fn revoke(exchange: Exchange) -> Result<Reply, HttpProblem> {
    let request: RevokeLease = exchange.json()?;
    exchange.same("job", Some(request.job))?;
    Reply::json(&exchange.plane()?.revoke(request).await?)
}
