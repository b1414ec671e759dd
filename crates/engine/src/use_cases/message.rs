//! Progress of a run, for whoever follows.

use dogwatch_api::{Caller, PostMessage, Problem, Scope};
use dogwatch_core::job::JobCommand;

use crate::Engine;
use crate::access::{agent, own_lease, own_run};
use crate::problems;
use crate::texts::fit;

/// What a message can be about.
const TOPICS: [&str; 4] = ["intent", "progress", "blocker", "completion"];

/// The longest text, as it stands in an event.
const MAX_TEXT: usize = 1_000;

impl Engine {
    /// Records what a runner or its agent says about a run under way.
    pub async fn post_message(&self, caller: &Caller, request: PostMessage) -> Result<(), Problem> {
        match agent(caller) {
            Some(claim) => {
                own_run(claim, request.run)?;
                own_lease(claim, request.held)?;
            }
            None => Self::allow(caller, Scope::Runner)?,
        }
        if !TOPICS.contains(&request.topic.as_str()) {
            return Err(problems::field(
                "topic",
                format_args!("is none of {}", TOPICS.join(", ")),
            ));
        }
        let command = JobCommand::Message {
            lease: request.held.lease,
            epoch: request.held.epoch,
            run: request.run,
            topic: request.topic,
            text: fit(&request.text, MAX_TEXT),
        };
        self.command(caller, request.held.job, command).await?;
        Ok(())
    }
}
