//! Who calls. Tokens and the in-process runner both only produce a `Caller`; every use-case takes one.

use std::collections::BTreeSet;

use dogwatch_core::event::{Actor, Epoch, Via};
use dogwatch_core::ids::{JobId, LeaseId, ProjectId, RunId, TokenId};
use dogwatch_core::schemars;
use serde::{Deserialize, Serialize};

/// What a caller may do.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "dogwatch_core::schemars")]
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

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Submit,
        Self::Operate,
        Self::Approve,
        Self::Admin,
        Self::Runner,
        Self::Agent,
    ];

    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Operate => "operate",
            Self::Approve => "approve",
            Self::Admin => "admin",
            Self::Runner => "runner",
            Self::Agent => "agent",
        }
    }

    /// The scope of a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// The lease and the run an agent's token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseClaim {
    /// The job.
    pub job: JobId,
    /// The run: the token speaks for this one and sees no other.
    pub run: RunId,
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
