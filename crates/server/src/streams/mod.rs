//! The sources behind the streams. Each asks the control plane for what follows a cursor; none remembers anything that a client would miss.

mod control_log;
mod journal;
mod output;
mod wakeups;

pub(crate) use control_log::ControlLog;
pub(crate) use journal::Journal;
pub(crate) use output::{Output, OutputEvent};
pub(crate) use wakeups::WakeupFeed;

use std::time::Duration;

use dogwatch_engine::Hint;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use crate::problem::HttpProblem;
use crate::problem_codes::{HEADER_INVALID, INTERNAL_ERROR};

/// When to look again: at a hint, or after a while without one, as hints may be lost.
pub(crate) struct Looks {
    hints: Receiver<Hint>,
    every: Duration,
}

impl Looks {
    pub(crate) fn new(hints: Receiver<Hint>, every: Duration) -> Self {
        Self { hints, every }
    }

    async fn next(&mut self, matters: impl Fn(Hint) -> bool) {
        let end = Instant::now() + self.every;
        loop {
            match timeout_at(end, self.hints.recv()).await {
                Err(_) | Ok(Err(RecvError::Lagged(_))) => return,
                Ok(Ok(hint)) if matters(hint) => return,
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Closed)) => return tokio::time::sleep_until(end).await,
            }
        }
    }
}

/// The number in a cursor.
fn position(cursor: Option<&str>) -> Result<u64, HttpProblem> {
    match cursor {
        None => Ok(0),
        Some(text) => text
            .parse()
            .map_err(|_| HEADER_INVALID.because("`last-event-id` is not one of this stream's")),
    }
}

fn data(value: &impl serde::Serialize) -> Result<String, HttpProblem> {
    serde_json::to_string(value).map_err(|error| {
        tracing::error!(lane = "error", event = "stream.unserialisable", %error);
        INTERNAL_ERROR.because("an event cannot be written as JSON")
    })
}
