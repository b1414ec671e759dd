//! Copying the write-ahead log into the database, when nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;

use super::batch::Batches;
use crate::fault::is_fatal;

/// From this many pages on the log is copied in an idle moment: 1 MiB.
const WHEN_IDLE: i64 = 256;

/// From this many pages on it is copied between two commits, or readers would have ever more of it to search: 16 MiB.
const WHEN_BUSY: i64 = 4096;

/// How many more pages have to come before the next attempt, after one that a reader held up.
const BETWEEN_ATTEMPTS: i64 = 1024;

/// How long the log is, and what was done about it.
#[derive(Debug)]
pub(super) struct Log {
    pages: Arc<AtomicI64>,
    next_attempt: i64,
}

impl Log {
    /// Follows the log of a connection. The hook takes the place of SQLite's own checkpoints, which would run before the answer.
    pub(super) fn watch(connection: &mut Connection) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicI64::new(0));
        let counter = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            counter.store(i64::from(pages), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            pages,
            next_attempt: 0,
        })
    }

    /// Copies the log if it is long enough for the moment.
    pub(super) fn tidy(&mut self, batches: &mut Batches, idle: bool) {
        let pages = self.pages.load(Ordering::Relaxed);
        let threshold = if idle { WHEN_IDLE } else { WHEN_BUSY };
        if pages < threshold.max(self.next_attempt) {
            return;
        }
        // A log that was copied whole starts again from its beginning, and the hook then tells small numbers.
        self.next_attempt = match checkpoint(batches, "PRAGMA wal_checkpoint(PASSIVE)") {
            Some(Copied { left: 0 }) => {
                self.pages.store(0, Ordering::Relaxed);
                0
            }
            Some(Copied { left: _ }) | None => pages + BETWEEN_ATTEMPTS,
        };
    }

    /// Copies and empties the log, which is how the next opening knows that this one ended well.
    pub(super) fn close(&mut self, batches: &mut Batches) {
        checkpoint(batches, "PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

/// What a checkpoint came to.
struct Copied {
    /// How many pages it had to leave, for a reader's sake.
    left: i64,
}

fn checkpoint(batches: &mut Batches, sql: &str) -> Option<Copied> {
    let result = batches.connection()?.query_row(sql, [], |row| {
        let (pages, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(Copied {
            left: pages - copied,
        })
    });
    match result {
        Ok(copied) => Some(copied),
        Err(error) => {
            // A database that cannot grow loses nothing, as the log still holds it all; a failed fsync may.
            let full = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
            if is_fatal(&error) && !full {
                batches.poison(format!("checkpoint: {error}"));
            } else {
                tracing::warn!(%error, "the write-ahead log was not copied");
            }
            None
        }
    }
}
