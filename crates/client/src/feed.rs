//! A stream of server-sent events that is opened again where it broke off.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use bytes::Bytes;
use dogwatch_api::Problem;
use futures_util::stream::{Stream, StreamExt as _, unfold};
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use sse_stream::{Sse, SseByteStream};

use crate::answer::{Again, Failure};
use crate::call::Call;
use crate::connection::Connection;

/// The most bytes between the beginnings of two events.
const EVENT_BYTES: usize = 8 << 20;

type Blocks = Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>;

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    /// Its name; `message` if it has none.
    pub(crate) name: String,
    /// Where to go on from after it.
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

/// Events of one route. What was received is not received again: the server is told how far we came.
pub(crate) struct Feed {
    connection: Arc<Connection>,
    call: Call,
    last_id: Option<String>,
    open: Option<Blocks>,
    pauses: ExponentialBackoff,
    /// The server's wish.
    at_least: Duration,
}

impl Feed {
    /// A feed from the beginning, or from after an event that was received before.
    pub(crate) fn new(connection: Arc<Connection>, call: Call, after: Option<String>) -> Self {
        Self {
            pauses: pauses(&connection),
            connection,
            call,
            last_id: after,
            open: None,
            at_least: Duration::ZERO,
        }
    }

    /// The server this is from, for messages.
    pub(crate) fn server(&self) -> &str {
        &self.connection.server
    }

    /// Opens it, so that what is wrong with the request itself is said at once.
    pub(crate) async fn opened(mut self) -> Result<Self, Problem> {
        self.open().await.map_err(|failure| failure.problem)?;
        Ok(self)
    }

    /// The next event. A problem is the last thing there is: nothing comes after it.
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Event, Problem> {
        loop {
            let failure = match self.step().await {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => continue,
                Err(failure) => failure,
            };
            self.open = None;
            if failure.again == Again::No {
                return Err(failure.problem);
            }
            let Some(pause) = self.pauses.next() else {
                return Err(failure.problem);
            };
            tracing::debug!(code = failure.problem.code, ?pause, "the stream is opened again");
            tokio::time::sleep(pause.max(self.at_least)).await;
        }
    }

    /// One block of the stream, which may hold no event.
    async fn step(&mut self) -> Result<Option<Event>, Failure> {
        if self.open.is_none() {
            self.open().await?;
        }
        let blocks = self.open.as_mut().expect("it was opened just now");
        match blocks.next().await {
            Some(Ok(block)) => Ok(self.take(block)),
            Some(Err(sse_stream::Error::Body(error))) => match error.downcast::<Broken>() {
                Ok(broken) => Err(broken.0),
                Err(error) => Err(Failure::invalid(error.to_string())),
            },
            Some(Err(error)) => Err(Failure::invalid(format!(
                "{} sends something that is no event: {error}",
                self.connection.server
            ))),
            None => Err(Failure::silence(&self.connection.server)),
        }
    }

    fn take(&mut self, block: Sse) -> Option<Event> {
        // It works: what broke before does not count any more.
        self.pauses = pauses(&self.connection);
        if let Some(retry) = block.retry {
            self.at_least =
                Duration::from_millis(retry).min(self.connection.options.longest_pause);
        }
        if let Some(id) = &block.id {
            self.last_id = Some(id.clone()).filter(|id| !id.is_empty());
        }
        let data = block.data?;
        Some(Event {
            name: block
                .event
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "message".to_owned()),
            id: self.last_id.clone(),
            data,
        })
    }

    async fn open(&mut self) -> Result<(), Failure> {
        let call = self.call.clone();
        let call = call.header(ACCEPT.as_str(), Some("text/event-stream"));
        let call = call.and_then(|call| call.header("last-event-id", self.last_id.as_deref()));
        let call = call.map_err(|problem| Failure {
            problem,
            again: Again::No,
        })?;
        let response = self.connection.open(&call).await?;
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        if !is_stream {
            return Err(Failure::invalid(format!(
                "{} answers with something that is no stream",
                self.connection.server
            )));
        }
        self.open = Some(blocks(&self.connection, response));
        Ok(())
    }
}

fn pauses(connection: &Connection) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(connection.options.first_pause)
        .with_max_delay(connection.options.longest_pause)
        .with_max_times(connection.options.stream_repeats)
        .with_jitter()
        .build()
}

/// What a broken stream ends with.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.problem)]
struct Broken(Failure);

/// The events in a body that may end, fall silent, or never end an event.
fn blocks(connection: &Connection, response: Response) -> Blocks {
    let server = connection.server.clone();
    let silence = connection.options.stream_silence;
    let chunks = unfold(Some(response), move |response| {
        let server = server.clone();
        async move {
            let mut response = response?;
            match tokio::time::timeout(silence, response.chunk()).await {
                Ok(Ok(Some(chunk))) => Some((Ok(chunk), Some(response))),
                Ok(Ok(None)) => None,
                Ok(Err(error)) => {
                    Some((Err(Broken(Failure::transport(error, &server))), None))
                }
                Err(_) => Some((Err(Broken(Failure::silence(&server))), None)),
            }
        }
    });
    let server = connection.server.clone();
    let mut pending = 0;
    let bounded = chunks.map(move |chunk: Result<Bytes, Broken>| {
        let chunk = chunk?;
        pending = match last_event_end(&chunk) {
            Some(end) => chunk.len() - end,
            None => pending + chunk.len(),
        };
        if pending > EVENT_BYTES {
            return Err(Broken(Failure::invalid(format!(
                "{server} sends an event of more than {EVENT_BYTES} bytes"
            ))));
        }
        Ok(chunk)
    });
    Box::pin(SseByteStream::new(bounded))
}

/// Where the last line ends that has an empty one before or after it. Keep-alive comments end with one too, so a quiet stream never adds up.
fn last_event_end(chunk: &[u8]) -> Option<usize> {
    chunk
        .windows(2)
        .rposition(|pair| pair == b"\n\n")
        .map(|at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_an_event_is_found() {
        assert_eq!(last_event_end(b"data: 1\n\nda"), Some(9));
        assert_eq!(last_event_end(b": alive\n\n"), Some(9));
        assert_eq!(last_event_end(b"data: 1\ndata: 2\n"), None);
        assert_eq!(last_event_end(b""), None);
    }
}
