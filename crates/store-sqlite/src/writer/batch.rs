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
        let committed = committed.as_ref().copied().map_err(String::as_str);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use dogwatch_core::{Clock, Entropy, Timestamp};
    use dogwatch_store::{RebuildReport, StoreError};
    use tokio::sync::oneshot;

    use super::*;

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }
    }

    impl Entropy for Still {
        fn bytes(&self) -> [u8; 10] {
            [0; 10]
        }
    }

    fn batches() -> Batches {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migrate::run(&mut connection, std::path::Path::new("x")).unwrap();
        // A row that no event leads to, so that a rebuild has something to write.
        connection
            .execute("INSERT INTO short_ids VALUES ('0', 'job_0')", [])
            .unwrap();
        let mint = Mint {
            clock: Arc::new(Still),
            entropy: Arc::new(Still),
        };
        Batches::new(connection, mint)
    }

    /// Two requests in one commit, and their answers.
    fn commit_two(batches: &mut Batches) -> Vec<Result<RebuildReport, StoreError>> {
        let (requests, answers): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (reply, answer) = oneshot::channel();
                (Request::Rebuild { reply }, answer)
            })
            .unzip();
        let mut batch = requests;
        batches.commit(&mut batch);
        assert!(batch.is_empty());
        answers
            .into_iter()
            .map(|mut answer| answer.try_recv().expect("everyone is answered"))
            .collect()
    }

    fn strays(batches: &Batches) -> i64 {
        batches
            .connection
            .query_row("SELECT count(*) FROM short_ids", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn nothing_is_acknowledged_when_the_commit_fails() {
        let mut batches = batches();
        let refuse = Arc::new(AtomicBool::new(true));
        let refusing = Arc::clone(&refuse);
        batches
            .connection
            .commit_hook(Some(move || refusing.load(Ordering::SeqCst)))
            .unwrap();
        for answer in commit_two(&mut batches) {
            let error = answer.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
        assert_eq!(strays(&batches), 1);

        refuse.store(false, Ordering::SeqCst);
        let answers = commit_two(&mut batches);
        assert_eq!(answers[0].as_ref().unwrap().differences.len(), 1);
        assert_eq!(answers[1].as_ref().unwrap().differences.len(), 0);
        assert_eq!(strays(&batches), 0);
    }

    #[test]
    fn nothing_is_written_after_a_failure_of_the_disk() {
        let mut batches = batches();
        batches
            .connection
            .execute_batch("CREATE TEMP TRIGGER full BEFORE DELETE ON main.short_ids BEGIN INSERT INTO main.contracts VALUES ('h', zeroblob(100000)); END;")
            .unwrap();
        let pages: i64 = batches
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        let limit = |batches: &Batches, pages: i64| {
            batches
                .connection
                .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
                .unwrap();
        };
        limit(&batches, pages);
        for answer in commit_two(&mut batches) {
            let error = answer.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
        // Room alone does not make the store trust its connection again.
        limit(&batches, pages + 1000);
        for answer in commit_two(&mut batches) {
            let error = answer.unwrap_err().to_string();
            assert!(error.contains("full"), "{error}");
        }
        assert!(batches.connection().is_none());
        assert_eq!(strays(&batches), 1);
    }
}
