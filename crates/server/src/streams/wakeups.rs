//! What wakes a runner.

use async_trait::async_trait;
use dogwatch_api::{Wakeup, Wakeups};

use crate::problem::HttpProblem;
use crate::sse::{Batch, Item, Source};

/// The wake-ups of one machine. They have no cursor: one that was missed is as good as one that never came.
pub(crate) struct WakeupFeed {
    wakeups: Box<dyn Wakeups>,
    next: Option<Wakeup>,
    ended: bool,
}

impl WakeupFeed {
    pub(crate) fn new(wakeups: Box<dyn Wakeups>) -> Self {
        Self {
            wakeups,
            next: None,
            ended: false,
        }
    }
}

#[async_trait]
impl Source for WakeupFeed {
    async fn after(&mut self, _: Option<&str>, _: usize) -> Result<Batch, HttpProblem> {
        let mut items = Vec::new();
        if let Some(wakeup) = self.next.take() {
            items.push(Item {
                cursor: None,
                event: match wakeup {
                    Wakeup::Ready => "ready",
                    Wakeup::JobAvailable => "job.available",
                    Wakeup::Cancel { .. } => "cancel",
                    Wakeup::Timeout => "timeout",
                },
                data: super::data(&wakeup)?,
            });
        }
        Ok(Batch {
            items,
            more: false,
            ended: self.ended.then_some("no_more"),
        })
    }

    async fn changed(&mut self) {
        match self.wakeups.next().await {
            Some(wakeup) => self.next = Some(wakeup),
            None => self.ended = true,
        }
    }
}
