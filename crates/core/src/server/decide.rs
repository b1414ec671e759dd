//! What may be asked of the server's stream, and what comes of it.

use super::event::{RunnerSynced, ServerEvent, TokenCreated};
use super::state::ServerState;
use crate::ids::TokenId;

/// A command to the server's stream.
#[derive(Clone, Debug)]
pub enum ServerCommand {
    /// A server starts.
    Start {
        /// Its version.
        version: String,
    },
    /// It stops in order.
    Stop {
        /// Why.
        reason: String,
    },
    /// Makes a token.
    CreateToken(TokenCreated),
    /// Takes a token back. Repeating it changes nothing.
    RevokeToken {
        /// The token.
        id: TokenId,
    },
    /// A runner says what it has to offer. Saying the same again changes nothing.
    SyncRunner(RunnerSynced),
}

/// A command that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerRefusal {
    /// There is no such token.
    #[error("there is no {0}")]
    NoSuchToken(TokenId),
    /// The id is taken.
    #[error("{0} exists")]
    TokenExists(TokenId),
}

impl ServerRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSuchToken(_) => "token_not_found",
            Self::TokenExists(_) => "token_exists",
        }
    }
}

/// The events that `command` leads to; none where it was carried out before.
pub fn decide(
    state: &ServerState,
    command: &ServerCommand,
) -> Result<Vec<ServerEvent>, ServerRefusal> {
    match command {
        ServerCommand::Start { version } => Ok(vec![ServerEvent::Started {
            version: version.clone(),
        }]),
        ServerCommand::Stop { reason } => Ok(vec![ServerEvent::Stopped {
            reason: reason.clone(),
        }]),
        ServerCommand::CreateToken(created) => {
            if state.tokens.contains_key(&created.id) {
                return Err(ServerRefusal::TokenExists(created.id));
            }
            Ok(vec![ServerEvent::TokenCreated(created.clone())])
        }
        ServerCommand::RevokeToken { id } => match state.tokens.get(id) {
            None => Err(ServerRefusal::NoSuchToken(*id)),
            Some(token) if token.revoked_at.is_some() => Ok(Vec::new()),
            Some(_) => Ok(vec![ServerEvent::TokenRevoked { id: *id }]),
        },
        ServerCommand::SyncRunner(synced) => {
            if state.runners.get(&synced.machine) == Some(synced) {
                return Ok(Vec::new());
            }
            Ok(vec![ServerEvent::RunnerSynced(synced.clone())])
        }
    }
}
