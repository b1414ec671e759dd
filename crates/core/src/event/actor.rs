//! Who did it, and through which door.

use serde::{Deserialize, Serialize};

use crate::ids::TokenId;

/// The door an action came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The command line, in the same process as the control plane.
    Cli,
    /// The HTTP API.
    Http,
    /// An agent's tool call.
    Mcp,
    /// The work loop of a machine.
    Runner,
    /// The control plane itself: recovery, expiry, schedules.
    System,
}

/// The originator of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Actor {
    /// A user, machine or component name, such as `user:ana` or `runner:mch_...`.
    pub principal: String,
    /// The token that was presented, if one was.
    pub token_id: Option<TokenId>,
    /// The door.
    pub via: Via,
}

impl Actor {
    /// An actor without a token.
    pub fn new(principal: impl Into<String>, via: Via) -> Self {
        Self {
            principal: principal.into(),
            token_id: None,
            via,
        }
    }
}
