//! The facts of the server's stream. Kinds are wire format: append only, never changed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::Sha256Digest;
use crate::ids::{MachineId, ProjectId, TokenId};
use crate::time::Timestamp;

/// A token was made. Its secret is known to whoever asked for it, and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCreated {
    /// Its id.
    pub id: TokenId,
    /// What it is for, clipped.
    pub label: String,
    /// The name that stands in events for whoever presents it.
    pub principal: String,
    /// SHA-256 of the secret, which has 256 random bits: nothing to guess, nothing to salt.
    pub secret: Sha256Digest,
    /// The scopes by name.
    pub scopes: BTreeSet<String>,
    /// The projects it may see; `null` means all.
    pub projects: Option<BTreeSet<ProjectId>>,
    /// Worthless from then on.
    pub expires_at: Option<Timestamp>,
}

/// A runner told what it has to offer. The whole of it stands beside, by machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunnerSynced {
    /// The machine.
    pub machine: MachineId,
    /// Its name for people.
    pub name: String,
    /// The version of dogwatch on it.
    pub version: String,
    /// The digest of what it said.
    pub digest: Sha256Digest,
}

/// An event of the server's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", content = "data", deny_unknown_fields)]
pub enum ServerEvent {
    /// A server took the data directory.
    #[serde(rename = "server.started.v1")]
    Started {
        /// Its version.
        version: String,
    },
    /// It let go of it in order.
    #[serde(rename = "server.stopped.v1")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// See [`TokenCreated`].
    #[serde(rename = "token.created.v1")]
    TokenCreated(TokenCreated),
    /// A token counts no more.
    #[serde(rename = "token.revoked.v1")]
    TokenRevoked {
        /// The token.
        id: TokenId,
    },
    /// See [`RunnerSynced`].
    #[serde(rename = "runner.synced.v1")]
    RunnerSynced(RunnerSynced),
}

impl ServerEvent {
    /// The kind and the data, as an envelope carries them.
    pub fn into_parts(self) -> (String, Value) {
        crate::event::split_tagged(&self)
    }

    /// The event of a kind, from an envelope's parts.
    pub fn from_parts(kind: &str, data: &Value) -> Result<Self, serde_json::Error> {
        crate::event::join_tagged(kind, data)
    }
}
