//! Replaying the log, comparing what comes out with what is in use, and putting the former in the place of the latter.
//!
//! One stream at a time, so that it needs no more memory for a million jobs than for one; all in one transaction, so that readers see
//! the projections either before or after. A line that cannot be replayed ends it with nothing changed.

use std::collections::BTreeSet;

use dogwatch_core::Timestamp;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::Job;
use dogwatch_store::RebuildReport;
use rusqlite::Connection;

use super::replay;
use crate::fault::Fault;
use crate::load::Loaded;
use crate::project::{
    JobRow, JournalRow, LeaseRow, ReadyRow, RunRow, short_id_missing, write_short_id,
};

/// Rebuilds every projection inside the caller's transaction.
pub(crate) fn rebuild(connection: &Connection, now: Timestamp) -> Result<RebuildReport, Fault> {
    let mut report = RebuildReport::default();
    strays(connection, &mut report)?;
    for id in texts(
        connection,
        "SELECT DISTINCT stream FROM events ORDER BY stream",
        &[],
    )? {
        let job: JobId = parse(&id)?;
        let end = replay::stream(connection, job)?;
        report.streams += 1;
        report.events += end.version;
        let Some(state) = &end.stream.job else {
            return Err(Fault::corrupt(job, "its log submits no job"));
        };
        compare_job(connection, &end, state, now, &mut report)?;
        compare_runs(connection, &id, state, &mut report)?;
    }
    Ok(report)
}

/// Rows that no line leads to.
fn strays(connection: &Connection, report: &mut RebuildReport) -> Result<(), Fault> {
    for (table, sql, delete) in [
        (
            "jobs",
            "SELECT id FROM jobs WHERE id NOT IN (SELECT stream FROM events)",
            // What hangs on the row goes with it.
            "DELETE FROM jobs WHERE id = ?1",
        ),
        (
            "short_ids",
            "SELECT id FROM short_ids WHERE id NOT IN (SELECT stream FROM events)
                AND id NOT IN (SELECT run FROM events WHERE run IS NOT NULL)",
            "DELETE FROM short_ids WHERE id = ?1",
        ),
    ] {
        for id in texts(connection, sql, &[])? {
            report.differences.push(format!("{table} {id}: no event"));
            connection.execute(delete, [&id])?;
        }
    }
    Ok(())
}

fn compare_job(
    connection: &Connection,
    end: &Loaded,
    job: &Job,
    now: Timestamp,
    report: &mut RebuildReport,
) -> Result<(), Fault> {
    let row = JobRow::of(&end.stream, job, end.version, end.head);
    let id = row.id.as_str();
    let in_use = JobRow::load(connection, id)?;
    if differs("jobs", id, in_use.as_ref(), Some(&row), report) {
        // Not replaced in place: what keeps a job from changing its mind would keep it from being mended.
        connection.execute("DELETE FROM jobs WHERE id = ?1", [id])?;
        row.write(connection)?;
        // The row's dependants went with it and come back below; that is no difference of theirs.
        ReadyRow::write(ReadyRow::of(job).as_ref(), connection, id, now)?;
        LeaseRow::write(LeaseRow::of(job).as_ref(), connection, id)?;
        for header in &job.runs {
            RunRow::of(job, header).write(connection)?;
            JournalRow::of(&replay::journal(connection, header.id)?)
                .write(connection, header.id)?;
        }
    }
    let ready = ReadyRow::of(job);
    if differs(
        "ready",
        id,
        ReadyRow::load(connection, id)?.as_ref(),
        ready.as_ref(),
        report,
    ) {
        ReadyRow::write(ready.as_ref(), connection, id, now)?;
    }
    let lease = LeaseRow::of(job);
    if differs(
        "active_leases",
        id,
        LeaseRow::load(connection, id)?.as_ref(),
        lease.as_ref(),
        report,
    ) {
        LeaseRow::write(lease.as_ref(), connection, id)?;
    }
    compare_short_id(connection, id, report)
}

fn compare_runs(
    connection: &Connection,
    id: &str,
    job: &Job,
    report: &mut RebuildReport,
) -> Result<(), Fault> {
    let expected: BTreeSet<String> = job.runs.iter().map(|run| run.id.to_string()).collect();
    for run in texts(connection, "SELECT id FROM runs WHERE job = ?1", &[id])? {
        if !expected.contains(&run) {
            report.differences.push(format!("runs {run}: no event"));
            connection.execute("DELETE FROM runs WHERE id = ?1", [&run])?;
        }
    }
    for header in &job.runs {
        let run: RunId = header.id;
        let name = run.to_string();
        let row = RunRow::of(job, header);
        let in_use = RunRow::load(connection, run)?;
        if differs("runs", &name, in_use.as_ref(), Some(&row), report) {
            connection.execute("DELETE FROM runs WHERE id = ?1", [&name])?;
            row.write(connection)?;
            JournalRow::of(&replay::journal(connection, run)?).write(connection, run)?;
        }
        let log = replay::journal(connection, run)?;
        report.streams += 1;
        report.events += log.count;
        let journal = JournalRow::of(&log);
        let in_use = JournalRow::load(connection, run)?;
        if differs(
            "runs (journal)",
            &name,
            in_use.as_ref(),
            Some(&journal),
            report,
        ) {
            journal.write(connection, run)?;
        }
        compare_short_id(connection, &name, report)?;
    }
    Ok(())
}

fn compare_short_id(
    connection: &Connection,
    id: &str,
    report: &mut RebuildReport,
) -> Result<(), Fault> {
    if short_id_missing(connection, id)? {
        report.differences.push(format!("short_ids {id}: missing"));
        write_short_id(connection, id)?;
    }
    Ok(())
}

/// Whether a row is not what it should be; if so, it is reported with both values.
fn differs<T: PartialEq + std::fmt::Debug>(
    table: &str,
    id: &str,
    in_use: Option<&T>,
    replayed: Option<&T>,
    report: &mut RebuildReport,
) -> bool {
    if in_use == replayed {
        return false;
    }
    let what = match (in_use, replayed) {
        (None, _) => "missing".to_owned(),
        (Some(_), None) => "should not be there".to_owned(),
        (Some(in_use), Some(replayed)) => format!("{in_use:?} should be {replayed:?}"),
    };
    report.differences.push(format!("{table} {id}: {what}"));
    true
}

fn texts(connection: &Connection, sql: &str, values: &[&str]) -> Result<Vec<String>, Fault> {
    let texts = connection
        .prepare_cached(sql)?
        .query_map(rusqlite::params_from_iter(values), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(texts)
}

fn parse(id: &str) -> Result<JobId, Fault> {
    id.parse()
        .map_err(|error| Fault::corrupt(format_args!("stream `{id}`"), error))
}
