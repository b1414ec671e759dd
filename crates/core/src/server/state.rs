//! The state of the server's stream, folded from its events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{RunnerSynced, ServerEvent, TokenCreated};
use crate::ids::{MachineId, TokenId};
use crate::time::Timestamp;

/// Where a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenStatus {
    /// It counts.
    Active,
    /// It was taken back.
    Revoked,
    /// Its time is over.
    Expired,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// What was said when it was made.
    pub created: TokenCreated,
    /// By whom.
    pub created_at: Timestamp,
    /// When it was taken back, once it was.
    pub revoked_at: Option<Timestamp>,
}

impl TokenRecord {
    /// Where it stands at an instant.
    pub fn status(&self, now: Timestamp) -> TokenStatus {
        if self.revoked_at.is_some() {
            TokenStatus::Revoked
        } else if self.created.expires_at.is_some_and(|at| at <= now) {
            TokenStatus::Expired
        } else {
            TokenStatus::Active
        }
    }
}

/// What the server's stream folds to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerState {
    /// Every token that was ever made.
    pub tokens: BTreeMap<TokenId, TokenRecord>,
    /// What each runner said last, by digest.
    pub runners: BTreeMap<MachineId, RunnerSynced>,
    /// How often a server took the data directory.
    pub starts: u64,
}

impl ServerState {
    /// The state after `event`, which happened at `at`. Total: what does not fit changes nothing.
    #[must_use]
    pub fn apply(mut self, event: &ServerEvent, at: Timestamp) -> Self {
        match event {
            ServerEvent::Started { .. } => self.starts += 1,
            ServerEvent::Stopped { .. } => {}
            ServerEvent::TokenCreated(created) => {
                self.tokens
                    .entry(created.id)
                    .or_insert_with(|| TokenRecord {
                        created: created.clone(),
                        created_at: at,
                        revoked_at: None,
                    });
            }
            ServerEvent::TokenRevoked { id } => {
                if let Some(token) = self.tokens.get_mut(id) {
                    token.revoked_at.get_or_insert(at);
                }
            }
            ServerEvent::RunnerSynced(synced) => {
                self.runners.insert(synced.machine, synced.clone());
            }
        }
        self
    }
}
