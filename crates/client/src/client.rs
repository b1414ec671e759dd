//! The client itself.

use std::sync::Arc;

use dogwatch_api::{ListEvents, LogEntry, Problem};
use dogwatch_core::ids::RunId;

use crate::call::Call;
use crate::connection::Connection;
use crate::feed::{Event, Feed};
use crate::follow::{Follow, JournalLine, PrintedPiece, journal_line, log_entry, printed_piece};
use crate::{ConnectError, Options, Target, Token};

/// The control plane at the other end of a connection. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) connection: Arc<Connection>,
}

impl Client {
    /// A client of a server. Nothing is sent yet.
    pub fn new(target: &Target, token: Token) -> Result<Self, ConnectError> {
        Self::with_options(target, token, Options::default())
    }

    /// The same with a patience of its own.
    pub fn with_options(
        target: &Target,
        token: Token,
        options: Options,
    ) -> Result<Self, ConnectError> {
        Ok(Self {
            connection: Arc::new(Connection::new(target, token, options)?),
        })
    }

    /// The control log after a position, and what is added to it from then on.
    pub async fn events(&self, request: ListEvents) -> Result<Follow<LogEntry>, Problem> {
        let call = Call::get("v1/events/stream")
            .query("after", request.after)
            .query("job", request.job)
            .query("project", request.project);
        self.follow(call, log_entry).await
    }

    /// The journal of a run after a line, and what is added to it until the run is over.
    pub async fn follow_journal(
        &self,
        run: RunId,
        after: u64,
    ) -> Result<Follow<JournalLine>, Problem> {
        let path = format!("v1/runs/{run}/journal/stream");
        let call = Call::get(path).query("after", Some(after));
        self.follow(call, journal_line).await
    }

    /// What a run's agent printed, and prints until the run is over.
    pub async fn follow_output(&self, run: RunId) -> Result<Follow<PrintedPiece>, Problem> {
        let call = Call::get(format!("v1/runs/{run}/logs/stream"));
        self.follow(call, printed_piece).await
    }

    async fn follow<T>(
        &self,
        call: Call,
        read: fn(&Event, &str) -> Result<Option<T>, Problem>,
    ) -> Result<Follow<T>, Problem> {
        let feed = Feed::new(self.connection.clone(), call, None);
        Ok(Follow::new(feed.opened().await?, read))
    }
}
