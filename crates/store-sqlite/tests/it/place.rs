//! Where a test keeps its database.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dogwatch_core::{Clock, Entropy};
use dogwatch_store::contract_suite::{Bench, Opened};
use dogwatch_store_sqlite::{OpenError, SqliteReader, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

/// A directory with a database in it, or the room for one.
pub(crate) struct Place {
    directory: TempDir,
    series: AtomicU32,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            series: AtomicU32::new(0),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }

    /// A number that no bench on this place has had.
    pub(crate) fn next_series(&self) -> u32 {
        self.series.fetch_add(1, Ordering::SeqCst)
    }

    /// A bench on a store that is closed when the bench is dropped.
    pub(crate) async fn bench(&self) -> Bench {
        let path = self.path();
        Bench::open_series(self.next_series(), |clock, entropy| async move {
            Opened {
                store: Arc::new(SqliteStore::open(&path, clock, entropy).unwrap()),
                keep: Box::new(()),
            }
        })
        .await
    }

    /// Opens it to write, with the clock and the ids of a bench.
    pub(crate) fn open(&self, bench: &Bench) -> Result<SqliteStore, OpenError> {
        let clock: Arc<dyn Clock> = Arc::clone(&bench.clock) as _;
        let entropy: Arc<dyn Entropy> = Arc::clone(&bench.entropy) as _;
        SqliteStore::open(&self.path(), clock, entropy)
    }

    pub(crate) fn reader(&self) -> Result<SqliteReader, OpenError> {
        SqliteStore::open_read_only(&self.path())
    }

    /// A connection of someone who knows SQLite and does not mind the rules.
    pub(crate) fn vandal(&self) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection
            .pragma_update(None, "foreign_keys", false)
            .unwrap();
        connection
    }
}
