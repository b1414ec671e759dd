//! Streams of the server as values of their types.

use std::fmt;

use dogwatch_api::{LogEntry, OutputPiece, OutputStream, Problem};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::answer::{answer_invalid, decode};
use crate::feed::{Event, Feed};

/// What is followed, one after the other. A connection that breaks is opened again where it broke off: nothing is left out and nothing
/// comes twice.
pub struct Follow<T> {
    /// Gone when nothing will follow.
    feed: Option<Feed>,
    read: fn(&Event, &str) -> Result<Option<T>, Problem>,
}

impl<T> Follow<T> {
    pub(crate) fn new(feed: Feed, read: fn(&Event, &str) -> Result<Option<T>, Problem>) -> Self {
        Self {
            feed: Some(feed),
            read,
        }
    }

    /// The next one. After a problem, and when all was said, there is none.
    ///
    /// Dropping the future loses nothing, so it may stand in a `select!`.
    pub async fn next(&mut self) -> Option<Result<T, Problem>> {
        loop {
            let feed = self.feed.as_mut()?;
            let read = match feed.next().await {
                Ok(Some(event)) => (self.read)(&event, feed.server()),
                Ok(None) => {
                    self.feed = None;
                    return None;
                }
                Err(problem) => Err(problem),
            };
            match read {
                // An event that this client does not know yet.
                Ok(None) => {}
                Ok(Some(item)) => return Some(Ok(item)),
                Err(problem) => {
                    self.feed = None;
                    return Some(Err(problem));
                }
            }
        }
    }

    /// The same as a `Stream`.
    pub fn into_stream(self) -> impl Stream<Item = Result<T, Problem>> + Send
    where
        T: Send,
    {
        unfold(self, |mut follow| async move {
            let item = follow.next().await?;
            Some((item, follow))
        })
    }
}

impl<T> fmt::Debug for Follow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow")
            .field("over", &self.feed.is_none())
            .finish_non_exhaustive()
    }
}

/// A line of a run's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalLine {
    /// Its place, from 1.
    pub seq: u64,
    /// Its exact bytes, without the line end.
    pub line: Vec<u8>,
}

/// A piece of what a run's agent printed.
#[derive(Clone, Debug, Deserialize)]
pub struct PrintedPiece {
    /// The turn.
    pub turn: u32,
    /// Which stream.
    pub stream: OutputStream,
    /// The bytes and where they stand. Untrusted.
    #[serde(flatten)]
    pub piece: OutputPiece,
}

pub(crate) fn journal_line(event: &Event, server: &str) -> Result<Option<JournalLine>, Problem> {
    if event.name != "line" {
        return Ok(None);
    }
    let line = event.data.clone().into_bytes();
    let seq = RunLine::seq_of(&line).ok_or_else(|| {
        answer_invalid(format!("{server} sends something that is no journal line"))
    })?;
    Ok(Some(JournalLine { seq, line }))
}

/// The one member of a line that is needed here.
#[derive(Deserialize)]
struct RunLine {
    seq: u64,
}

impl RunLine {
    fn seq_of(line: &[u8]) -> Option<u64> {
        serde_json::from_slice::<Self>(line)
            .ok()
            .map(|line| line.seq)
    }
}

/// The document of an event of that name.
pub(crate) fn printed_piece(event: &Event, server: &str) -> Result<Option<PrintedPiece>, Problem> {
    named(event, server, "output")
}

pub(crate) fn log_entry(event: &Event, server: &str) -> Result<Option<LogEntry>, Problem> {
    named(event, server, "entry")
}

fn named<T: DeserializeOwned>(
    event: &Event,
    server: &str,
    name: &str,
) -> Result<Option<T>, Problem> {
    if event.name != name {
        return Ok(None);
    }
    decode(event.data.as_bytes(), server).map(Some)
}
