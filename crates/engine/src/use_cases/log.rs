//! The control log, in the order of commits.

use dogwatch_api::{Caller, EventPage, ListEvents, LogEntry, Problem, ProblemCode, Scope};
use dogwatch_core::event::{Envelope, StreamId};
use dogwatch_store::{LogFilter, LogLine};

use crate::Engine;
use crate::problems;

/// How many lines are read at a time.
const BATCH: u32 = 1_000;

/// How many lines one request looks at. Whoever sees few of them is told how far that was.
const MAX_LOOKED_AT: usize = 20_000;

impl Engine {
    /// Events after a position, oldest first. Those of the server's own stream are for administrators.
    pub async fn list_events(
        &self,
        caller: &Caller,
        request: ListEvents,
    ) -> Result<EventPage, Problem> {
        Self::allow(caller, Scope::Read)?;
        if let Some(job) = request.job {
            Self::allow_project(caller, self.load(job).await?.project)?;
        }
        let project = Self::listed_project(caller, request.project)?;
        let limit = request.limit.unwrap_or(100).clamp(1, 1_000);
        let wanted = usize::try_from(limit).unwrap_or(1);
        let mut after = request.after.unwrap_or(0);
        let mut items = Vec::new();
        let mut looked_at = 0;
        loop {
            let filter = LogFilter {
                after,
                job: request.job,
                project,
                limit: BATCH.min(limit),
            };
            let asked = usize::try_from(filter.limit).unwrap_or(1);
            let lines = self.store.log(filter).await.map_err(problems::from_store)?;
            let last = lines.len() < asked;
            looked_at += lines.len();
            for line in lines {
                let entry = entry(&line)?;
                after = line.position;
                if is_visible(caller, &entry.event) {
                    items.push(entry);
                }
                if items.len() == wanted {
                    break;
                }
            }
            if last || items.len() == wanted || looked_at >= MAX_LOOKED_AT {
                break;
            }
        }
        Ok(EventPage {
            items,
            next_cursor: after.to_string(),
        })
    }
}

fn entry(line: &LogLine) -> Result<LogEntry, Problem> {
    serde_json::from_slice(&line.line)
        .map(|event| LogEntry {
            position: line.position,
            event,
        })
        .map_err(|error| {
            Problem::new(
                ProblemCode::Internal,
                "store_corrupt",
                format!("event {} of the log cannot be read: {error}", line.position),
                "nothing was changed; keep a copy of the data directory and run `dogwatch doctor`",
            )
        })
}

fn is_visible(caller: &Caller, event: &Envelope) -> bool {
    match (event.stream, event.project) {
        (StreamId::Server, _) => caller.may(Scope::Admin) && caller.projects.is_none(),
        (StreamId::Job(_) | StreamId::Run(_), Some(project)) => caller.may_see(project),
        (StreamId::Job(_) | StreamId::Run(_), None) => caller.projects.is_none(),
    }
}
