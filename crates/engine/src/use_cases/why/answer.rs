//! Putting the answer together.

use dogwatch_api::{Caller, Cause, JobRef, Problem, ProblemCode, Scope, Why};
use dogwatch_core::event::Envelope;
use dogwatch_core::ids::{JobId, RunId};
use dogwatch_core::job::JobEvent;
use dogwatch_core::queue;

use super::says::{run_of, says};
use super::summary::{next_action, summary};
use crate::Engine;
use crate::problems;

/// How many events are read at a time.
const BATCH: u32 = 500;

impl Engine {
    /// The chain of causes of a job, or of one of its runs, from the job's own stream.
    pub async fn why(&self, caller: &Caller, what: JobRef) -> Result<Why, Problem> {
        Self::allow(caller, Scope::Read)?;
        let (id, run) = match what {
            JobRef::Job(id) => (id, None),
            JobRef::Run(run) => (self.run_view(run).await?.job, Some(run)),
        };
        let job = self.load(id).await?;
        Self::allow_project(caller, job.project)?;
        let offers = self.known.offers().await?;
        let view = queue::view(&job, self.clock.now(), &offers);
        let unmet = if job.state.status().is_terminal() {
            Vec::new()
        } else {
            offers
                .iter()
                .filter_map(|offer| queue::unmet(&job, offer))
                .collect()
        };
        Ok(Why {
            job: id,
            run,
            status: job.state.status(),
            summary: summary(&job, run, &view, &offers),
            next_action: next_action(&job, &view),
            causes: self.causes(id, run).await?,
            constraints: queue::constraints(&job),
            queue: view,
            unmet,
        })
    }

    async fn causes(&self, job: JobId, run: Option<RunId>) -> Result<Vec<Cause>, Problem> {
        let mut causes = Vec::new();
        let mut after = 0;
        loop {
            let lines = self.store.events(job, after, BATCH).await;
            let lines = lines.map_err(problems::from_store)?;
            let Some(last) = lines.last() else {
                return Ok(causes);
            };
            after = last.seq;
            for line in &lines {
                let (envelope, event) = read(job, &line.line)?;
                causes.extend(cause(envelope, &event, run));
            }
        }
    }
}

fn read(job: JobId, line: &[u8]) -> Result<(Envelope, JobEvent), Problem> {
    serde_json::from_slice(line)
        .and_then(|envelope: Envelope| {
            let event = JobEvent::from_parts(&envelope.kind, &envelope.data)?;
            Ok((envelope, event))
        })
        .map_err(|error| {
            Problem::new(
                ProblemCode::Internal,
                "store_corrupt",
                format!("an event of {job} cannot be read: {error}"),
                "nothing was changed; keep a copy of the data directory and run `dogwatch doctor`",
            )
        })
}

/// One link of the chain; nothing for events of other runs, and for progress, which causes nothing.
fn cause(envelope: Envelope, event: &JobEvent, run: Option<RunId>) -> Option<Cause> {
    let of_another = run.is_some_and(|run| run_of(event).is_some_and(|of| of != run));
    if of_another || matches!(event, JobEvent::Message { .. }) {
        return None;
    }
    Some(Cause {
        event: envelope.id,
        seq: envelope.seq,
        kind: envelope.kind,
        at: envelope.at,
        by: envelope.actor.principal,
        says: says(event),
    })
}
