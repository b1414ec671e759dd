//! The writer thread: it lives as long as the store, and outlives every caller that hangs up.

use std::path::Path;
use std::thread::JoinHandle;

use dogwatch_store::StoreError;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::batch::Batches;
use super::checkpoint::Log;
use super::request::{Reply, Request};
use super::update::Mint;
use crate::error::OpenError;

/// How many requests wait before callers do.
const QUEUE: usize = 1024;

/// The most requests of one commit.
const BATCH: usize = 256;

/// The thread and the way to it.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on an opened connection.
    pub(crate) fn start(
        mut connection: Connection,
        path: &Path,
        mint: Mint,
    ) -> Result<Self, OpenError> {
        let log = Log::watch(&mut connection)
            .map_err(|source| crate::open::sqlite_error(path, source))?;
        let (queue, requests) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(Batches::new(connection, mint), log, requests))
            .map_err(|source| OpenError::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Queues what `request` makes of a reply channel and waits for the answer. The request is carried out even if the caller goes away.
    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError::Unavailable {
            reason: "the writer has stopped".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(request(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Carries out what is queued, empties the write-ahead log and ends the thread.
    pub(crate) fn close(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended with a panic");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn run(mut batches: Batches, mut log: Log, mut requests: mpsc::Receiver<Request>) {
    let mut batch = Vec::with_capacity(BATCH);
    while requests.blocking_recv_many(&mut batch, BATCH) > 0 {
        batches.commit(&mut batch);
        // Everyone has their answer by now: nobody waits for this but who comes next.
        log.tidy(&mut batches, requests.is_empty());
    }
    log.close(&mut batches);
}
