//! Tokens: who may call.

use std::collections::BTreeSet;

use dogwatch_core::Timestamp;
use dogwatch_core::ids::{ProjectId, TokenId};
use dogwatch_core::schemars;
use dogwatch_core::server::TokenStatus;
use serde::{Deserialize, Serialize};

use crate::caller::Scope;

/// Makes a token.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct CreateToken {
    /// What it is for.
    pub label: String,
    /// The name that stands in events for whoever presents it, such as `user:ana`; made from the label if not given.
    #[serde(default)]
    pub principal: Option<String>,
    /// What it may do. Never more than whoever makes it, and never `agent`.
    pub scopes: BTreeSet<Scope>,
    /// The projects it may see; all if not given.
    #[serde(default)]
    pub projects: Option<BTreeSet<ProjectId>>,
    /// Worthless from then on; never if not given.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// The answer to [`CreateToken`]. The secret is shown this once and stored nowhere.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct CreatedToken {
    /// The token.
    pub token: TokenView,
    /// What to present: `Authorization: Bearer ...`.
    pub secret: String,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub label: String,
    /// The name that stands in events.
    pub principal: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// The projects it may see; `null` means all.
    pub projects: Option<BTreeSet<ProjectId>>,
    /// Worthless from then on.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Where it stands.
    pub status: TokenStatus,
}

/// The tokens there are.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct TokenList {
    /// The tokens, newest first.
    pub items: Vec<TokenView>,
}
