//! What a stream is made from.

use async_trait::async_trait;

use crate::problem::HttpProblem;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Where a client goes on that has seen this event. Nothing for events that cannot be asked for again.
    pub(crate) cursor: Option<String>,
    /// Its kind.
    pub(crate) event: &'static str,
    /// A JSON document.
    pub(crate) data: String,
}

/// Some events, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Item>,
    /// Whether there is more to ask for at once.
    pub(crate) more: bool,
    /// Why nothing will ever follow, if so.
    pub(crate) ended: Option<&'static str>,
}

/// A source of events.
#[async_trait]
pub(crate) trait Source: Send {
    /// Events after a cursor, about `limit` of them.
    async fn after(&mut self, cursor: Option<&str>, limit: usize) -> Result<Batch, HttpProblem>;

    /// Resolves when there may be more.
    async fn changed(&mut self);
}
