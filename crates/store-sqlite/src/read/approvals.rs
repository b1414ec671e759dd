//! Approvals, by id and by page.

use dogwatch_core::ids::ApprovalId;
use dogwatch_core::job::Approval;
use dogwatch_store::{ApprovalFilter, ApprovalRow, Page, PageRequest};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::cursor::Window;
use crate::fault::Fault;

/// An approval.
pub(crate) fn approval(
    connection: &Connection,
    id: ApprovalId,
) -> Result<Option<ApprovalRow>, Fault> {
    let columns = connection
        .prepare_cached("SELECT id, job, project, title, body FROM approvals WHERE id = ?1")?
        .query_row([id.to_string()], columns)
        .optional()?;
    columns.map(parse).transpose()
}

/// Approvals, newest first.
pub(crate) fn approvals(
    connection: &Connection,
    filter: &ApprovalFilter,
    page: &PageRequest,
) -> Result<Page<ApprovalRow>, Fault> {
    let window = Window::of(page, ApprovalId::PREFIX)?;
    let mut states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    states.sort_unstable();
    states.dedup();
    let mut rows = Vec::new();
    if states.is_empty() {
        rows = select(connection, filter, None, &window)?;
    } else {
        // One seek per state: a single one over all of them would read every decided approval to find a pending one.
        for state in states {
            rows.extend(select(connection, filter, Some(state), &window)?);
        }
        let place = |row: &ApprovalRow| (row.approval.requested_at, row.approval.id);
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(place(row)));
        rows.truncate(usize::try_from(window.fetch()).unwrap_or(usize::MAX));
    }
    Ok(window.page(rows, |row| {
        (row.approval.requested_at, row.approval.id.to_string())
    }))
}

fn select(
    connection: &Connection,
    filter: &ApprovalFilter,
    state: Option<&str>,
    window: &Window,
) -> Result<Vec<ApprovalRow>, Fault> {
    let from = &window.from;
    let fetch = window.fetch();
    let project = filter.project.map(|project| project.to_string());
    let rows = match (project, state) {
        (None, None) => connection
            .prepare_cached(
                "SELECT id, job, project, title, body FROM approvals WHERE (requested_at, id) < (?1, ?2)
                 ORDER BY requested_at DESC, id DESC LIMIT ?3",
            )?
            .query_map(params![from.created_at, from.id, fetch], columns)?
            .collect::<Result<Vec<_>, _>>()?,
        (Some(project), None) => connection
            .prepare_cached(
                "SELECT id, job, project, title, body FROM approvals
                 WHERE (requested_at, id) < (?1, ?2) AND project = ?4
                 ORDER BY requested_at DESC, id DESC LIMIT ?3",
            )?
            .query_map(params![from.created_at, from.id, fetch, project], columns)?
            .collect::<Result<Vec<_>, _>>()?,
        (project, Some(state)) => connection
            .prepare_cached(
                "SELECT id, job, project, title, body FROM approvals
                 WHERE (requested_at, id) < (?1, ?2) AND state = ?4 AND project = ifnull(?5, project)
                 ORDER BY requested_at DESC, id DESC LIMIT ?3",
            )?
            .query_map(
                params![from.created_at, from.id, fetch, state, project],
                columns,
            )?
            .collect::<Result<Vec<_>, _>>()?,
    };
    rows.into_iter().map(parse).collect()
}

/// The columns of an approval as they are stored.
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

fn parse([id, job, project, title, body]: Columns) -> Result<ApprovalRow, Fault> {
    let corrupt = |reason: String| Fault::corrupt(&id, reason);
    let approval: Approval =
        serde_json::from_str(&body).map_err(|error| corrupt(error.to_string()))?;
    if approval.id.to_string() != id {
        return Err(corrupt(format!("its row holds {}", approval.id)));
    }
    Ok(ApprovalRow {
        job: job.parse().map_err(|error| corrupt(format!("{error}")))?,
        project: project
            .parse()
            .map_err(|error| corrupt(format!("{error}")))?,
        title,
        approval,
    })
}
