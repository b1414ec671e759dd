//! `dogwatch logs -f`: what a run's agent prints, as the control plane hears of it.

use dogwatch_api::{JobRef, ListRuns, OutputStream};
use dogwatch_core::frame::Stream;
use dogwatch_core::ids::RunId;
use serde_json::json;

use super::printer::Style;
use crate::connect::{Connection, block_on, connect};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{plain, print_bytes, print_json_line};

pub(super) fn run(
    context: &Context,
    text: &str,
    only: Option<Stream>,
    style: Style,
) -> Result<Exit, CliError> {
    block_on(async {
        let connection = connect(context).await?;
        let run = run_named(&connection, text).await?;
        let mut pieces = connection.client.follow_output(run).await?;
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            let wanted = match only {
                None => true,
                Some(Stream::Stdout) => piece.stream == OutputStream::Stdout,
                Some(Stream::Stderr) => piece.stream == OutputStream::Stderr,
            };
            if !wanted {
                continue;
            }
            match style {
                Style::Lines => print_json_line(&json!({
                    "turn": piece.turn,
                    "stream": piece.stream,
                    "offset": piece.piece.offset,
                    "text": String::from_utf8_lossy(&piece.piece.bytes),
                })),
                Style::Harmless => {
                    print_bytes(plain(&String::from_utf8_lossy(&piece.piece.bytes)).as_bytes());
                }
                Style::Bytes => print_bytes(&piece.piece.bytes),
            }
        }
        Ok(Exit::Success)
    })
}

/// The run a person means; of a job its latest.
async fn run_named(connection: &Connection, text: &str) -> Result<RunId, CliError> {
    let plane = connection.plane();
    let job = match plane.resolve(text).await? {
        JobRef::Run(run) => return Ok(run),
        JobRef::Job(job) => job,
    };
    let latest = plane
        .list_runs(ListRuns {
            job: Some(job),
            limit: Some(1),
            ..ListRuns::default()
        })
        .await?;
    latest.items.first().map(|run| run.id).ok_or_else(|| {
        CliError::new("run_not_found", format!("{job} has had no run yet"))
            .next(format!("dogwatch why {}", job.short()))
    })
}
