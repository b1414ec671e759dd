//! What the log projects to: rows as values, so that an update writes and a rebuild compares the very same thing.

mod approval;
mod job;
mod lease;
mod ready;
mod run;
mod server;
mod short_id;
mod timer;

pub(crate) use approval::ApprovalEntry;
pub(crate) use job::JobRow;
pub(crate) use lease::LeaseRow;
pub(crate) use ready::ReadyRow;
pub(crate) use run::{JournalRow, RunRow};
pub(crate) use server::ServerRow;
pub(crate) use short_id::{short_id_missing, write_short_id};
pub(crate) use timer::TimerRow;

/// JSON as it is kept in a projection.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value)
        .expect("states hold only strings, numbers and maps with string keys")
}

/// A count or position as SQLite keeps it; none comes near the limit.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
