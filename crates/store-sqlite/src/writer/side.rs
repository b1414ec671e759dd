//! What else is written in the transaction of an update.

use std::collections::BTreeMap;

use dogwatch_core::Sha256Digest;
use dogwatch_core::ids::{JobId, LeaseId, MachineId, RunId};
use dogwatch_core::job::Refusal;
use dogwatch_store::{RunLog, RunLogError, Side, StoreError};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::fault::Fault;
use crate::project::{JournalRow, integer, json};

/// Writes it.
pub(super) fn write(connection: &Connection, job: JobId, side: &Side) -> Result<(), Fault> {
    match side {
        Side::Nothing => Ok(()),
        Side::Contract { hash, bytes } => contract(connection, *hash, bytes),
        Side::Renewal { lease } => renewal(connection, *lease),
        Side::Bundle { run, files } => bundle(connection, job, *run, files),
        Side::RunLines { run, lines } => run_lines(connection, job, *run, lines),
    }
}

fn contract(connection: &Connection, hash: Sha256Digest, bytes: &[u8]) -> Result<(), Fault> {
    let found = Sha256Digest::of(bytes);
    if found != hash {
        return Err(Fault::corrupt(
            format_args!("contract {hash}"),
            format!("its bytes hash to {found}"),
        ));
    }
    connection
        .prepare_cached("INSERT OR IGNORE INTO contracts (hash, bytes) VALUES (?1, ?2)")?
        .execute(params![hash.to_string(), bytes])?;
    Ok(())
}

fn renewal(connection: &Connection, lease: LeaseId) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO renewals (lease, count) VALUES (?1, 1)
             ON CONFLICT (lease) DO UPDATE SET count = count + 1",
        )?
        .execute([lease.to_string()])?;
    Ok(())
}

/// Keeps what a runner said, in place of what it said before.
pub(super) fn runner(
    connection: &Connection,
    machine: MachineId,
    bytes: &[u8],
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO runners (machine, bytes) VALUES (?1, ?2)
             ON CONFLICT (machine) DO UPDATE SET bytes = excluded.bytes",
        )?
        .execute(params![machine.to_string(), bytes])?;
    Ok(())
}

/// Keeps the files of the one bundle that a run of `job` has.
fn bundle(
    connection: &Connection,
    job: JobId,
    run: RunId,
    files: &BTreeMap<String, Sha256Digest>,
) -> Result<(), Fault> {
    if owner(connection, run)?.as_deref() != Some(job.to_string().as_str()) {
        return Err(StoreError::Refused(Refusal::WrongRun).into());
    }
    let stored: Option<String> = connection
        .prepare_cached("SELECT files FROM bundles WHERE run = ?1")?
        .query_row([run.to_string()], |row| row.get(0))
        .optional()?;
    let files = json(files);
    match stored {
        Some(stored) if stored == files => {}
        Some(_) => return Err(StoreError::BundleConflict { run }.into()),
        None => {
            connection
                .prepare_cached("INSERT INTO bundles (run, files) VALUES (?1, ?2)")?
                .execute(params![run.to_string(), files])?;
        }
    }
    Ok(())
}

/// The job that a run is of.
fn owner(connection: &Connection, run: RunId) -> Result<Option<String>, Fault> {
    let owner = connection
        .prepare_cached("SELECT job FROM runs WHERE id = ?1")?
        .query_row([run.to_string()], |row| row.get(0))
        .optional()?;
    Ok(owner)
}

/// Appends lines to the copy of a journal: those that are there already have to be the same, the others have to follow.
fn run_lines(
    connection: &Connection,
    job: JobId,
    run: RunId,
    lines: &[Vec<u8>],
) -> Result<(), Fault> {
    let mut log = load_log(connection, job, run, lines)?;
    let before = log.count;
    for line in lines {
        let next = log.count + 1;
        match RunLog::claimed_seq(line) {
            Some(seq) if seq <= log.count => {
                let stored: Option<Vec<u8>> = connection
                    .prepare_cached("SELECT line FROM run_lines WHERE run = ?1 AND seq = ?2")?
                    .query_row(params![run.to_string(), integer(seq)], |row| row.get(0))
                    .optional()?;
                match stored {
                    Some(stored) if stored == *line => {}
                    Some(_) => return Err(StoreError::JournalFork { run, seq }.into()),
                    None if seq == 0 => {
                        return Err(not_a_line(run, next, "it claims to be line 0".to_owned()));
                    }
                    None => return Err(Fault::corrupt(run, format!("line {seq} is missing"))),
                }
            }
            Some(_) | None => {
                log.push(line).map_err(|error| match error {
                    RunLogError::Gap { expected } => {
                        Fault::Store(StoreError::JournalGap { run, expected })
                    }
                    RunLogError::Line { seq, reason } => not_a_line(run, seq, reason),
                })?;
                connection
                    .prepare_cached("INSERT INTO run_lines (run, seq, line) VALUES (?1, ?2, ?3)")?
                    .execute(params![run.to_string(), integer(next), line])?;
            }
        }
    }
    if log.count > before {
        JournalRow::of(&log).write(connection, run)?;
    }
    Ok(())
}

/// The end of the stored journal of a run of `job`.
fn load_log(
    connection: &Connection,
    job: JobId,
    run: RunId,
    lines: &[Vec<u8>],
) -> Result<RunLog, Fault> {
    let owner = owner(connection, run)?;
    let first = lines
        .first()
        .and_then(|line| RunLog::claimed_seq(line))
        .unwrap_or(1);
    match owner {
        Some(owner) if owner == job.to_string() => {}
        Some(_) => {
            return Err(not_a_line(
                run,
                first,
                format!("the run is not one of {job}"),
            ));
        }
        None => return Err(not_a_line(run, first, "there is no such run".to_owned())),
    }
    let row = JournalRow::load(connection, run)?
        .ok_or_else(|| Fault::corrupt(run, "its projection is missing"))?;
    let last: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT seq, line FROM run_lines WHERE run = ?1 ORDER BY seq DESC LIMIT 1")?
        .query_row([run.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (count, head) = match last {
        None => (0, RunLog::empty(run).head),
        Some((seq, line)) => {
            let seq = u64::try_from(seq).map_err(|error| Fault::corrupt(run, error))?;
            let head = dogwatch_core::event::StreamId::Run(run).link(seq, &line);
            (seq, head)
        }
    };
    if row.lines != integer(count) || row.head != head.to_string() {
        return Err(Fault::corrupt(
            run,
            format!(
                "its projection (line {}) does not follow from its last line ({count})",
                row.lines
            ),
        ));
    }
    Ok(RunLog {
        run,
        count,
        head,
        state: serde_json::from_str(&row.state).map_err(|error| Fault::corrupt(run, error))?,
    })
}

fn not_a_line(run: RunId, seq: u64, reason: String) -> Fault {
    Fault::Store(StoreError::JournalLine { run, seq, reason })
}
