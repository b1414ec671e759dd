//! Who calls. Tokens and the in-process runner both only produce a `Caller`; every use-case takes one.

use std::collections::BTreeSet;

use dogwatch_core::event::{Actor, Epoch, Via};
use dogwatch_core::ids::{LeaseId, ProjectId, TokenId};
use serde::{Deserialize, Serialize};

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look.
    Read,
    /// Ask for work.
    Submit,
    /// Cancel and retry what others asked for.
    Operate,
    /// Decide approvals.
    Approve,
    /// Everything else.
    Admin,
    /// Claim and run jobs.
    Runner,
    /// Speak for one running agent.
    Agent,
}

/// The lease a caller's token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseClaim {
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: Epoch,
}

/// A caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name that stands in events, such as `user:ana`.
    pub principal: String,
    /// The token that was presented.
    pub token: Option<TokenId>,
    /// The door.
    pub via: Via,
    /// What the caller may do.
    pub scopes: BTreeSet<Scope>,
    /// The projects the caller may see; `None` means all.
    pub projects: Option<BTreeSet<ProjectId>>,
    /// The lease the token is bound to.
    pub lease: Option<LeaseClaim>,
}

impl Caller {
    /// The user who owns the data directory, at the command line.
    pub fn local_user(principal: impl Into<String>) -> Self {
        Self {
            principal: principal.into(),
            token: None,
            via: Via::Cli,
            scopes: [
                Scope::Read,
                Scope::Submit,
                Scope::Operate,
                Scope::Approve,
                Scope::Admin,
            ]
            .into(),
            projects: None,
            lease: None,
        }
    }

    /// The work loop of this machine, in the same process.
    pub fn local_runner(principal: impl Into<String>) -> Self {
        Self {
            principal: principal.into(),
            token: None,
            via: Via::Runner,
            scopes: [Scope::Read, Scope::Runner].into(),
            projects: None,
            lease: None,
        }
    }

    /// The control plane acting by itself.
    pub fn system() -> Self {
        Self {
            principal: "system".to_owned(),
            token: None,
            via: Via::System,
            scopes: [Scope::Read, Scope::Operate, Scope::Admin].into(),
            projects: None,
            lease: None,
        }
    }

    /// Whether the caller has a scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether the caller may see a project.
    pub fn may_see(&self, project: ProjectId) -> bool {
        self.projects
            .as_ref()
            .is_none_or(|projects| projects.contains(&project))
    }

    /// The caller as events name it.
    pub fn actor(&self) -> Actor {
        Actor {
            principal: self.principal.clone(),
            token_id: self.token,
            via: self.via,
        }
    }
}
