//! A stream of server-sent events that is opened again where it broke off.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use bytes::Bytes;
use dogwatch_api::{Problem, ProblemCode, codes};
use futures_util::stream::{Stream, StreamExt as _, unfold};
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use sse_stream::{Sse, SseByteStream};
use tokio::time::Instant;

use crate::answer::{Again, Failure};
use crate::call::Call;
use crate::connection::Connection;

/// The most bytes between the beginnings of two events.
const EVENT_BYTES: usize = 8 << 20;

type Blocks = Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>;

/// The name of the event that says why nothing follows.
const END: &str = "end";

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    /// Its name; `message` if it has none.
    pub(crate) name: String,
    /// A JSON document.
    pub(crate) data: String,
}

/// What the last event says.
#[derive(Deserialize)]
struct End {
    reason: String,
}

/// Events of one route. What was received is not received again: the server is told how far we came.
pub(crate) struct Feed {
    connection: Arc<Connection>,
    call: Call,
    last_id: Option<String>,
    open: Option<Open>,
    pauses: ExponentialBackoff,
    /// The server's wish.
    at_least: Duration,
}

struct Open {
    blocks: Blocks,
    since: Instant,
}

/// What a block of a stream comes to.
enum Step {
    Event(Event),
    Nothing,
    /// Nothing will follow.
    Over,
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

    /// The next event, or nothing when nothing will follow. After a problem nothing follows either.
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Problem> {
        loop {
            let failure = match self.step().await {
                Ok(Step::Event(event)) => return Ok(Some(event)),
                Ok(Step::Over) => return Ok(None),
                Ok(Step::Nothing) => continue,
                Err(failure) => failure,
            };
            let lasted = self.open.take().map(|open| open.since.elapsed());
            if lasted.is_some_and(|lasted| lasted >= self.connection.options.stream_silence) {
                // It worked, with nothing to say.
                self.pauses = pauses(&self.connection);
            }
            if failure.again == Again::No {
                return Err(failure.problem);
            }
            let Some(pause) = self.pauses.next() else {
                return Err(failure.problem);
            };
            tracing::debug!(
                code = failure.problem.code,
                ?pause,
                "the stream is opened again"
            );
            tokio::time::sleep(pause.max(self.at_least)).await;
        }
    }

    async fn step(&mut self) -> Result<Step, Failure> {
        if self.open.is_none() {
            self.open().await?;
        }
        let open = self.open.as_mut().expect("it was opened just now");
        match open.blocks.next().await {
            Some(Ok(block)) => self.take(block),
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

    fn take(&mut self, block: Sse) -> Result<Step, Failure> {
        if let Some(retry) = block.retry {
            let longest = self.connection.options.longest_pause;
            self.at_least = Duration::from_millis(retry).min(longest);
        }
        if let Some(id) = block.id {
            self.last_id = Some(id).filter(|id| !id.is_empty());
        }
        let Some(data) = block.data else {
            return Ok(Step::Nothing);
        };
        let name = block.event.filter(|name| !name.is_empty());
        if name.as_deref() == Some(END) {
            return self.end(&data);
        }
        // It works: what broke before does not count any more.
        self.pauses = pauses(&self.connection);
        Ok(Step::Event(Event {
            name: name.unwrap_or_else(|| "message".to_owned()),
            data,
        }))
    }

    /// A stream ends because all was said, or because of a problem. In the latter case the route itself tells whether it still stands.
    fn end(&self, data: &str) -> Result<Step, Failure> {
        let server = &self.connection.server;
        let Ok(end) = serde_json::from_str::<End>(data) else {
            return Err(Failure::invalid(format!(
                "{server} ends a stream without saying why"
            )));
        };
        if codes::find(&end.reason).is_none() {
            return Ok(Step::Over);
        }
        Err(Failure {
            problem: Problem::new(
                ProblemCode::Unavailable,
                &end.reason,
                format!("{server} ended the stream"),
                "try again",
            ),
            again: Again::IfHarmless,
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
        self.open = Some(Open {
            blocks: blocks(&self.connection, response),
            since: Instant::now(),
        });
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
                Ok(Err(error)) => Some((Err(Broken(Failure::transport(error, &server))), None)),
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
