//! Replaying the log, comparing what comes out with what is in use, and putting the former in the place of the latter.
//!
//! One stream at a time, so that it needs no more memory for a million jobs than for one; all in one transaction, so that readers see
//! the projections either before or after. A line that cannot be replayed ends it with nothing changed.

use std::collections::BTreeSet;

use dogwatch_core::Timestamp;
use dogwatch_core::event::StreamId;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::{Job, JobStream};
use dogwatch_store::RebuildReport;
use rusqlite::Connection;

use super::replay;
use crate::fault::Fault;
use crate::load::Loaded;
use crate::project::{
    ApprovalEntry, JobRow, JournalRow, LeaseRow, ReadyRow, RunRow, ServerRow, TimerRow,
    short_id_missing, write_short_id,
};

/// Rebuilds every projection inside the caller's transaction.
pub(crate) fn rebuild(connection: &Connection, now: Timestamp) -> Result<RebuildReport, Fault> {
    let mut report = RebuildReport::default();
    let jobs = "SELECT id FROM jobs WHERE id NOT IN (SELECT stream FROM events)";
    // What hangs on the row goes with it.
    strays(connection, "jobs", jobs, &mut report)?;
    let server = "SELECT id FROM server WHERE id NOT IN (SELECT stream FROM events)";
    strays(connection, "server", server, &mut report)?;
    for name in texts(
        connection,
        "SELECT DISTINCT stream FROM events ORDER BY stream",
        &[],
    )? {
        let stream: StreamId = name
            .parse()
            .map_err(|error| Fault::corrupt(format_args!("stream `{name}`"), error))?;
        report.streams += 1;
        match stream {
            StreamId::Job(job) => {
                let end = replay::job(connection, job)?;
                report.events += end.version;
                let Some(state) = &end.state.job else {
                    return Err(Fault::corrupt(job, "its log submits no job"));
                };
                compare_job(connection, &end, state, now, &mut report)?;
                compare_runs(connection, &name, state, &mut report)?;
                compare_approvals(connection, &name, state, &mut report)?;
            }
            StreamId::Server => {
                report.events += compare_server(connection, &mut report)?;
            }
            StreamId::Run(run) => {
                return Err(Fault::corrupt(run, "its journal stands in the control log"));
            }
        }
    }
    // All that has an id is there again by now.
    let short_ids = "SELECT id FROM short_ids WHERE id NOT IN (SELECT id FROM jobs)
        AND id NOT IN (SELECT id FROM runs) AND id NOT IN (SELECT id FROM approvals)";
    strays(connection, "short_ids", short_ids, &mut report)?;
    Ok(report)
}

/// Deletes the rows that no line leads to: those whose ids `sql` finds.
fn strays(
    connection: &Connection,
    table: &str,
    sql: &str,
    report: &mut RebuildReport,
) -> Result<(), Fault> {
    for id in texts(connection, sql, &[])? {
        report.differences.push(format!("{table} {id}: no event"));
        connection.execute(&format!("DELETE FROM {table} WHERE id = ?1"), [&id])?;
    }
    Ok(())
}

fn compare_job(
    connection: &Connection,
    end: &Loaded<JobStream>,
    job: &Job,
    now: Timestamp,
    report: &mut RebuildReport,
) -> Result<(), Fault> {
    let row = JobRow::of(&end.state, job, end.version, end.head);
    let id = row.id.as_str();
    let ready = ReadyRow::of(job);
    let lease = LeaseRow::of(job);
    let timers = TimerRow::of(job);
    let in_use = JobRow::load(connection, id)?;
    if differs("jobs", id, in_use.as_ref(), Some(&row), report) {
        // Not replaced in place: what keeps a job from changing its mind would keep it from being mended.
        connection.execute("DELETE FROM jobs WHERE id = ?1", [id])?;
        row.write(connection)?;
        // The row's dependants went with it and come back here; that is no difference of theirs.
        ReadyRow::write(ready.as_ref(), connection, id, now)?;
        LeaseRow::write(lease.as_ref(), connection, id)?;
        TimerRow::write(&timers, connection, id)?;
        for header in &job.runs {
            RunRow::of(job, header).write(connection)?;
            JournalRow::of(&replay::journal(connection, header.id)?)
                .write(connection, header.id)?;
        }
        for approval in &job.approvals {
            ApprovalEntry::of(job, approval).write(connection)?;
        }
    }
    let in_use = ReadyRow::load(connection, id)?;
    if differs("ready", id, in_use.as_ref(), ready.as_ref(), report) {
        ReadyRow::write(ready.as_ref(), connection, id, now)?;
    }
    let in_use = LeaseRow::load(connection, id)?;
    if differs("active_leases", id, in_use.as_ref(), lease.as_ref(), report) {
        LeaseRow::write(lease.as_ref(), connection, id)?;
    }
    let in_use = TimerRow::load(connection, id)?;
    if differs("timers", id, Some(&in_use), Some(&timers), report) {
        TimerRow::write(&timers, connection, id)?;
    }
    compare_short_id(connection, id, report)
}

fn compare_runs(
    connection: &Connection,
    id: &str,
    job: &Job,
    report: &mut RebuildReport,
) -> Result<(), Fault> {
    for header in &job.runs {
        let run: RunId = header.id;
        let name = run.to_string();
        let row = RunRow::of(job, header);
        let in_use = RunRow::load(connection, run)?;
        let log = replay::journal(connection, run)?;
        let journal = JournalRow::of(&log);
        if differs("runs", &name, in_use.as_ref(), Some(&row), report) {
            connection.execute("DELETE FROM runs WHERE id = ?1", [&name])?;
            row.write(connection)?;
            journal.write(connection, run)?;
        }
        report.streams += 1;
        report.events += log.count;
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
    let known: BTreeSet<String> = job.runs.iter().map(|run| run.id.to_string()).collect();
    delete_others(connection, "runs", id, &known, report)
}

fn compare_approvals(
    connection: &Connection,
    id: &str,
    job: &Job,
    report: &mut RebuildReport,
) -> Result<(), Fault> {
    for approval in &job.approvals {
        let row = ApprovalEntry::of(job, approval);
        let in_use = ApprovalEntry::load(connection, &row.id)?;
        if differs("approvals", &row.id, in_use.as_ref(), Some(&row), report) {
            connection.execute("DELETE FROM approvals WHERE id = ?1", [&row.id])?;
            row.write(connection)?;
        }
        compare_short_id(connection, &row.id, report)?;
    }
    let known: BTreeSet<String> = job
        .approvals
        .iter()
        .map(|approval| approval.id.to_string())
        .collect();
    delete_others(connection, "approvals", id, &known, report)
}

/// Deletes the rows of a job that its log does not lead to.
fn delete_others(
    connection: &Connection,
    table: &str,
    job: &str,
    known: &BTreeSet<String>,
    report: &mut RebuildReport,
) -> Result<(), Fault> {
    let sql = format!("SELECT id FROM {table} WHERE job = ?1 ORDER BY id");
    for id in texts(connection, &sql, &[job])? {
        if !known.contains(&id) {
            report.differences.push(format!("{table} {id}: no event"));
            connection.execute(&format!("DELETE FROM {table} WHERE id = ?1"), [&id])?;
        }
    }
    Ok(())
}

/// Compares the server's own row; the answer is how many events its stream has.
fn compare_server(connection: &Connection, report: &mut RebuildReport) -> Result<u64, Fault> {
    let end = replay::server(connection)?;
    let row = ServerRow::of(&end.state, end.version, end.head);
    let in_use = ServerRow::load(connection)?;
    let name = StreamId::Server.to_string();
    if differs("server", &name, in_use.as_ref(), Some(&row), report) {
        row.write(connection)?;
    }
    Ok(end.version)
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
