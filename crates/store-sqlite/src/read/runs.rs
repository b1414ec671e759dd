//! Runs, by id and by page.

use std::collections::BTreeMap;

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::RunId;
use dogwatch_store::{Page, PageRequest, RunFilter, RunView};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::cursor::Window;
use crate::fault::Fault;

/// A run.
pub(crate) fn run(connection: &Connection, id: RunId) -> Result<Option<RunView>, Fault> {
    let columns = connection
        .prepare_cached("SELECT id, job, project, header, state FROM runs WHERE id = ?1")?
        .query_row([id.to_string()], columns)
        .optional()?;
    columns.map(parse).transpose()
}

/// Runs, newest first.
pub(crate) fn runs(
    connection: &Connection,
    filter: &RunFilter,
    page: &PageRequest,
) -> Result<Page<RunView>, Fault> {
    let window = Window::of(page, RunId::PREFIX)?;
    let from = &window.from;
    let fetch = window.fetch();
    let project = filter.project.map(|project| project.to_string());
    let rows = match (filter.job, project) {
        (None, None) => connection
            .prepare_cached(
                "SELECT id, job, project, header, state FROM runs WHERE (created_at, id) < (?1, ?2)
                 ORDER BY created_at DESC, id DESC LIMIT ?3",
            )?
            .query_map(params![from.created_at, from.id, fetch], columns)?
            .collect::<Result<Vec<_>, _>>()?,
        (None, Some(project)) => connection
            .prepare_cached(
                "SELECT id, job, project, header, state FROM runs WHERE (created_at, id) < (?1, ?2) AND project = ?4
                 ORDER BY created_at DESC, id DESC LIMIT ?3",
            )?
            .query_map(params![from.created_at, from.id, fetch, project], columns)?
            .collect::<Result<Vec<_>, _>>()?,
        (Some(job), project) => connection
            .prepare_cached(
                "SELECT id, job, project, header, state FROM runs
                 WHERE (created_at, id) < (?1, ?2) AND job = ?4 AND project = ifnull(?5, project)
                 ORDER BY created_at DESC, id DESC LIMIT ?3",
            )?
            .query_map(
                params![from.created_at, from.id, fetch, job.to_string(), project],
                columns,
            )?
            .collect::<Result<Vec<_>, _>>()?,
    };
    let views = rows.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(window.page(views, |view| {
        (view.header.created_at, view.header.id.to_string())
    }))
}

/// The files of a run's bundle, if it was declared.
pub(crate) fn bundle_files(
    connection: &Connection,
    run: RunId,
) -> Result<Option<BTreeMap<String, Sha256Digest>>, Fault> {
    let files: Option<String> = connection
        .prepare_cached("SELECT files FROM bundles WHERE run = ?1")?
        .query_row([run.to_string()], |row| row.get(0))
        .optional()?;
    files
        .map(|files| serde_json::from_str(&files))
        .transpose()
        .map_err(|error| Fault::corrupt(format_args!("the bundle of {run}"), error))
}

/// The columns of a run as they are stored.
type Columns = [String; 5];

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok([
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
    ])
}

fn parse([id, job, project, header, state]: Columns) -> Result<RunView, Fault> {
    let corrupt = |reason: String| Fault::corrupt(&id, reason);
    let view = RunView {
        job: job.parse().map_err(|error| corrupt(format!("{error}")))?,
        project: project
            .parse()
            .map_err(|error| corrupt(format!("{error}")))?,
        header: serde_json::from_str(&header).map_err(|error| corrupt(error.to_string()))?,
        state: serde_json::from_str(&state).map_err(|error| corrupt(error.to_string()))?,
    };
    if view.header.id.to_string() == id {
        Ok(view)
    } else {
        Err(corrupt(format!("its row holds {}", view.header.id)))
    }
}
