//! Read-only connections, used on tokio's blocking threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dogwatch_store::StoreError;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::error::OpenError;
use crate::fault::Fault;
use crate::open;

/// How many reads are under way at once; the others wait for their turn without a thread.
const READERS: usize = 4;

/// The readers of one database.
#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// Opens the first connection, so that a file which cannot be read is found now.
    pub(crate) fn open(path: &Path) -> Result<Arc<Self>, OpenError> {
        let first = open::reader(path)?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            idle: Mutex::new(vec![first]),
            permits: Arc::new(Semaphore::new(READERS)),
        }))
    }

    /// Runs `read` in one snapshot of the database.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let stopped = |reason: String| StoreError::Unavailable { reason };
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|error| stopped(error.to_string()))?;
        let pool = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut connection = pool.take()?;
            let result = snapshot(&mut connection, read);
            // A connection that failed is not used again: what is wrong may be the connection.
            if !matches!(result, Err(Fault::Sqlite(_))) {
                pool.put(connection);
            }
            result.map_err(StoreError::from)
        })
        .await
        .map_err(|error| stopped(error.to_string()))?
    }

    /// Closes what is idle, so that the writer closes last.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }

    fn take(&self) -> Result<Connection, StoreError> {
        match self.idle().pop() {
            Some(connection) => Ok(connection),
            None => Ok(open::reader(&self.path)?),
        }
    }

    fn put(&self, connection: Connection) {
        if !self.permits.is_closed() {
            self.idle().push(connection);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot<T>(
    connection: &mut Connection,
    read: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.transaction()?;
    let result = read(&transaction)?;
    transaction.finish()?;
    Ok(result)
}
