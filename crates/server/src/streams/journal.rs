//! The journal of a run as its lines come.

use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_api::ControlPlane;
use dogwatch_core::ids::RunId;
use dogwatch_engine::Hint;

use super::Looks;
use crate::problem::HttpProblem;
use crate::problem_codes::INTERNAL_ERROR;
use crate::sse::{Batch, Item, Source};

/// The lines of one run. The data of an event is the exact line.
pub(crate) struct Journal {
    plane: Arc<dyn ControlPlane>,
    run: RunId,
    looks: Looks,
}

impl Journal {
    pub(crate) fn new(plane: Arc<dyn ControlPlane>, run: RunId, looks: Looks) -> Self {
        Self { plane, run, looks }
    }

    /// Says that there is no such run, before the stream is opened.
    pub(crate) async fn known(&self) -> Result<(), HttpProblem> {
        self.plane.run(self.run).await?;
        Ok(())
    }
}

#[async_trait]
impl Source for Journal {
    async fn after(&mut self, cursor: Option<&str>, _: usize) -> Result<Batch, HttpProblem> {
        let after = super::position(cursor)?;
        // Asked for first: what comes after the run was closed is nothing.
        let closed = self.plane.run(self.run).await?.header.closed.is_some();
        let lines = self.plane.run_lines(self.run, after).await?;
        let mut items = Vec::with_capacity(lines.len());
        for (line, number) in lines.into_iter().zip(after + 1..) {
            items.push(Item {
                cursor: Some(number.to_string()),
                event: "line",
                data: String::from_utf8(line)
                    .map_err(|_| INTERNAL_ERROR.because("a line of the journal is not text"))?,
            });
        }
        Ok(Batch {
            // The lines come in batches, and an empty one is the last.
            more: !items.is_empty(),
            ended: (closed && items.is_empty()).then_some("run_closed"),
            items,
        })
    }

    async fn changed(&mut self) {
        let run = self.run;
        self.looks
            .next(|hint| hint == Hint::RunLines(run) || matches!(hint, Hint::Job(_)))
            .await;
    }
}
