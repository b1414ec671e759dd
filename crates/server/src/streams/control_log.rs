//! The control log as it grows.

use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_api::{ControlPlane, ListEvents};
use dogwatch_engine::Hint;

use super::Looks;
use crate::problem::HttpProblem;
use crate::sse::{Batch, Item, Source};

/// The entries of some jobs or projects.
pub(crate) struct ControlLog {
    plane: Arc<dyn ControlPlane>,
    which: ListEvents,
    looks: Looks,
    /// How far was looked, which may be further than the last entry that was for this stream.
    seen: Option<u64>,
}

impl ControlLog {
    pub(crate) fn new(plane: Arc<dyn ControlPlane>, which: ListEvents, looks: Looks) -> Self {
        Self {
            plane,
            which,
            looks,
            seen: None,
        }
    }

    /// Says what is wrong before the stream is opened.
    pub(crate) async fn allowed(&self) -> Result<(), HttpProblem> {
        let request = ListEvents {
            limit: Some(1),
            ..self.which.clone()
        };
        self.plane.list_events(request).await?;
        Ok(())
    }
}

#[async_trait]
impl Source for ControlLog {
    async fn after(&mut self, cursor: Option<&str>, limit: usize) -> Result<Batch, HttpProblem> {
        let after = match cursor {
            Some(_) => Some(super::position(cursor)?),
            None => None,
        };
        let page = self
            .plane
            .list_events(ListEvents {
                after: after.max(self.seen),
                limit: u32::try_from(limit).ok(),
                ..self.which.clone()
            })
            .await?;
        let seen = page.next_cursor.parse().ok().max(self.seen);
        // As long as there is something to see, there may be more behind it.
        let more = seen > after.max(self.seen).or(Some(0));
        self.seen = seen;
        let entry = |entry: &dogwatch_api::LogEntry| {
            Ok(Item {
                cursor: Some(entry.position.to_string()),
                event: "entry",
                data: super::data(entry)?,
            })
        };
        Ok(Batch {
            more,
            items: page
                .items
                .iter()
                .map(entry)
                .collect::<Result<_, HttpProblem>>()?,
            ended: None,
        })
    }

    async fn changed(&mut self) {
        self.looks.next(|hint| hint == Hint::Log).await;
    }
}
