//! Workspaces of closed runs that are still on this machine's disk, and where they are.

use std::path::PathBuf;

use dogwatch_api::RunDetail;
use dogwatch_core::Clock;
use dogwatch_store::{PageRequest, RunFilter};
use dogwatch_supervisor::os::clock::SystemClock;
use serde_json::json;

use super::reading::{Readings, note};
use super::runs::status;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Table, age, print_json};

/// How many runs are read at once.
const PAGE: u32 = 500;

/// Where the workspace of a run that is over lies, if it does. The disk is asked and not the record: another machine's is not here, and
/// one that could not be removed may be.
pub(super) fn place(context: &Context, run: &RunDetail) -> Option<PathBuf> {
    run.header.closed.as_ref()?;
    let workspace = context.layout.workspace(run.id);
    if workspace.is_dir() {
        return Some(workspace);
    }
    Some(context.layout.work(run.id)).filter(|work| work.is_dir())
}

/// Prints every one of them.
pub(super) fn list(
    context: &Context,
    readings: Option<&Readings>,
    filter: RunFilter,
) -> Result<Exit, CliError> {
    let mut kept = Vec::new();
    let mut cursor = None;
    while let Some(readings) = readings {
        let request = PageRequest {
            limit: PAGE,
            cursor,
        };
        let page = readings.runs(filter.clone(), request)?;
        let found = page
            .items
            .into_iter()
            .filter_map(|run| place(context, &run).map(|place| (run, place)));
        kept.extend(found);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if context.json {
        let items: Vec<_> = kept
            .iter()
            .map(|(run, place)| {
                json!({
                    "id": run.id,
                    "job": run.job,
                    "outcome": run.header.closed.as_ref().map(|closed| closed.outcome),
                    "cleanup": run.header.cleanup,
                    "workspace": place.to_string_lossy(),
                })
            })
            .collect();
        print_json(&json!({ "items": items, "next_cursor": null }));
        return Ok(Exit::Success);
    }
    if kept.is_empty() {
        note("no workspace is kept here");
        return Ok(Exit::Success);
    }
    let now = SystemClock.now();
    let mut table = Table::new(&["RUN", "JOB", "STATUS", "AGE", "WORKSPACE"]);
    for (run, place) in &kept {
        table.row(vec![
            run.id.short(),
            run.job.short(),
            status(run),
            age(run.header.created_at, now),
            place.to_string_lossy().into_owned(),
        ]);
    }
    table.print();
    Ok(Exit::Success)
}
