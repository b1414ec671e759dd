//! From the environment or the endpoint file to a client.

use std::sync::Arc;
use std::time::Duration;

use dogwatch_client::{Client, Target, Token};
use dogwatch_core::ids::JobId;
use tokio::time::{Instant, sleep};

use super::Connection;
use super::start::{Started, Stay, start};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::say;
use crate::server::Endpoint;

/// A control plane somewhere else, as `unix:PATH` or a URL.
const ENDPOINT: &str = "DOGWATCH_ENDPOINT";

/// What to present to it.
const TOKEN: &str = "DOGWATCH_TOKEN";

/// How long a server that is on its way out, or on its way in, is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The control plane, started if it does not run.
pub(crate) async fn connect(context: &Context) -> Result<Connection, CliError> {
    if let Some(connection) = elsewhere()? {
        return Ok(connection);
    }
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(endpoint) = Endpoint::of_living(&context.layout)? {
            return of_endpoint(&endpoint, Arc::new([]));
        }
        match start(context, Stay::WhileNeeded).await? {
            Started::Ready(recovered) => {
                for job in &recovered {
                    say(&job.sentence());
                }
                let endpoint = Endpoint::of_living(&context.layout)?.ok_or_else(|| {
                    CliError::new("server_not_running", "the server was ready and is gone")
                        .next("look at its logs in the data directory, then try again")
                })?;
                let mended = recovered.iter().map(|job| job.job).collect();
                return of_endpoint(&endpoint, mended);
            }
            // Another command was faster, or a server is on its way out.
            Started::Taken(error) if Instant::now() >= until => return Err(error),
            Started::Taken(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// The control plane, if it runs.
pub(crate) fn connect_living(context: &Context) -> Result<Option<Connection>, CliError> {
    if let Some(connection) = elsewhere()? {
        return Ok(Some(connection));
    }
    Endpoint::of_living(&context.layout)?
        .map(|endpoint| of_endpoint(&endpoint, Arc::new([])))
        .transpose()
}

/// The control plane that the environment names, if it names one.
pub(crate) fn elsewhere() -> Result<Option<Connection>, CliError> {
    let Some(target) = std::env::var_os(ENDPOINT) else {
        return Ok(None);
    };
    let target: Target = target
        .to_string_lossy()
        .parse()
        .map_err(|error| CliError::from_error("server_target", &error))?;
    let token = std::env::var(TOKEN).map_err(|_| {
        CliError::new(
            "unauthenticated",
            format!("{ENDPOINT} names a server and {TOKEN} is not set"),
        )
        .exiting(Exit::Refused)
        .next("ask whoever runs the server for a token (`dogwatch token create`)")
    })?;
    let client = client(target, &token)?;
    Ok(Some(Connection {
        client: Arc::new(client),
        local: false,
        mended: Arc::new([]),
    }))
}

fn of_endpoint(endpoint: &Endpoint, mended: Arc<[JobId]>) -> Result<Connection, CliError> {
    if endpoint.version != env!("CARGO_PKG_VERSION") {
        return Err(CliError::new(
            "server_version",
            format!(
                "the server of this data directory is version {}, and this is {}",
                endpoint.version,
                env!("CARGO_PKG_VERSION")
            ),
        )
        .next("`dogwatch down` ends it when its runs have ended; the next command starts this version"));
    }
    let client = client(Target::Unix(endpoint.socket.clone()), &endpoint.token)?;
    Ok(Connection {
        client: Arc::new(client),
        local: true,
        mended,
    })
}

pub(crate) fn client(target: Target, token: &str) -> Result<Client, CliError> {
    let refused = |error: dogwatch_client::ConnectError| {
        CliError::from_error(error.code(), &error).next("look at the address and the token")
    };
    let token = Token::new(token).map_err(refused)?;
    Client::new(&target, token).map_err(refused)
}
