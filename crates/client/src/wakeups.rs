//! Wake-ups for a runner.

use async_trait::async_trait;
use dogwatch_api::{Wakeup, Wakeups};

use crate::feed::Feed;

/// Wake-ups as the server sends them. A hint that cannot be read is left out: polling alone works.
pub(crate) struct StreamedWakeups {
    /// Gone when no more will come.
    pub(crate) feed: Option<Feed>,
}

#[async_trait]
impl Wakeups for StreamedWakeups {
    async fn next(&mut self) -> Option<Wakeup> {
        loop {
            match self.feed.as_mut()?.next().await {
                Ok(Some(event)) => match serde_json::from_str(&event.data) {
                    Ok(wakeup) => return Some(wakeup),
                    Err(error) => {
                        tracing::debug!(event.name, %error, "a wake-up that says nothing to us");
                    }
                },
                Ok(None) => self.feed = None,
                Err(problem) => {
                    tracing::debug!(code = problem.code, "no more wake-ups");
                    self.feed = None;
                }
            }
        }
    }
}
