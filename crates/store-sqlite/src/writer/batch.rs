//! Group commit: many requests, one transaction, one fsync, and only then the answers.

use rusqlite::Connection;

use super::request::{Outcome, Request};
use super::update::Mint;
use crate::fault::is_fatal;

/// The writer's connection and whether it may still be used.
#[derive(Debug)]
pub(super) struct Batches {
    connection: Connection,
    mint: Mint,
    /// Why nothing is written any more. Only opening the database anew, which recovers it, leaves this state.
    poisoned: Option<String>,
}

impl Batches {
    pub(super) fn new(connection: Connection, mint: Mint) -> Self {
        Self {
            connection,
            mint,
            poisoned: None,
        }
    }

    /// The connection, while it may be used.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.poisoned.is_none().then_some(&self.connection)
    }

    /// Stops all further writes.
    pub(super) fn poison(&mut self, reason: String) {
        tracing::error!(%reason, "the store stops writing");
        self.poisoned.get_or_insert(reason);
    }

    /// Carries out `batch` in one transaction and answers every request in it.
    pub(super) fn commit(&mut self, batch: &mut Vec<Request>) {
        if let Some(reason) = &self.poisoned {
            for request in batch.drain(..) {
                request.refuse(reason);
            }
            return;
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut requests = batch.drain(..);
        let committed = self.transaction(&mut requests, &mut outcomes);
        if committed.is_err() && !self.connection.is_autocommit() {
            // Nothing of it may be left to be committed with the next batch.
            if let Err(error) = self.connection.execute_batch("ROLLBACK") {
                self.poison(format!("rolling back: {error}"));
            }
        }
        let committed = committed.as_ref().map(|()| ()).map_err(String::as_str);
        for outcome in outcomes {
            outcome.answer(committed);
        }
        // Left over only where the transaction came to an early end.
        for request in requests {
            request.refuse(committed.err().unwrap_or("the batch was cut short"));
        }
    }

    fn transaction(
        &mut self,
        requests: &mut impl Iterator<Item = Request>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), String> {
        self.execute("BEGIN IMMEDIATE")?;
        for request in requests {
            self.execute("SAVEPOINT request")?;
            let mut outcome = request.run(&self.connection, &self.mint);
            let fatal = outcome.fatal.take();
            let keep = outcome.keep;
            outcomes.push(outcome);
            if let Some(reason) = fatal {
                self.poison(reason.clone());
                return Err(reason);
            }
            if !keep {
                self.execute("ROLLBACK TO request")?;
            }
            self.execute("RELEASE request")?;
        }
        self.execute("COMMIT")
    }

    fn execute(&mut self, sql: &'static str) -> Result<(), String> {
        let result = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]));
        match result {
            Ok(_) => Ok(()),
            Err(error) => {
                let reason = format!("{sql}: {error}");
                if is_fatal(&error) {
                    self.poison(reason.clone());
                }
                Err(reason)
            }
        }
    }
}
