//! The server's own stream: what happened to the process, and every change that is no job's.

use std::sync::Arc;

use dogwatch_api::{Caller, Problem};
use dogwatch_core::server::{self, ServerCommand};
use dogwatch_store::{EventContext, ServerUpdate};

use crate::Engine;
use crate::hints::Hint;
use crate::known::ServerView;

impl Engine {
    /// Records that a server took the data directory.
    pub async fn record_start(&self, version: &str) -> Result<(), Problem> {
        let command = ServerCommand::Start {
            version: version.to_owned(),
        };
        self.change_server(&Caller::system(), command).await?;
        Ok(())
    }

    /// Records that it lets go of it in order.
    pub async fn record_stop(&self, reason: &str) -> Result<(), Problem> {
        let command = ServerCommand::Stop {
            reason: crate::texts::fit(reason, 300),
        };
        self.change_server(&Caller::system(), command).await?;
        Ok(())
    }

    pub(super) async fn change_server(
        &self,
        caller: &Caller,
        command: ServerCommand,
    ) -> Result<Arc<ServerView>, Problem> {
        let update = ServerUpdate {
            context: EventContext {
                actor: caller.actor(),
                cause: None,
                trace: None,
            },
            runner: None,
            decide: Box::new(move |state, _now| server::decide(state, &command)),
        };
        let (view, events) = self.known.update(update).await?;
        if events > 0 {
            self.hints.send(Hint::Log);
        }
        Ok(view)
    }
}
