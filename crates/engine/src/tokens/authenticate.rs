//! From what a caller presents to whom it stands for, as of now.

use std::collections::BTreeSet;

use dogwatch_api::{Caller, LeaseClaim, Problem, Scope};
use dogwatch_core::Sha256Digest;
use dogwatch_core::event::Via;
use dogwatch_core::job::JobState;
use dogwatch_core::server::{TokenRecord, TokenStatus};
use subtle::ConstantTimeEq as _;

use super::run_token::is_run_token;
use crate::Engine;
use crate::problems;

/// The token of one server process, for the user who owns its data directory.
#[derive(Clone)]
pub struct LocalToken {
    /// SHA-256 of the secret as it is presented.
    pub digest: Sha256Digest,
    /// Whom it stands for; the door is that of each request.
    pub caller: Caller,
}

impl std::fmt::Debug for LocalToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalToken")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

/// Why nobody was let in.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AuthFailure {
    /// Nothing was presented.
    #[error("the request has no token")]
    Unauthenticated,
    /// There is no such token.
    #[error("there is no such token")]
    Unknown,
    /// Its time is over; that of an agent's token ends with its lease.
    #[error("the token has expired")]
    Expired,
    /// It was taken back.
    #[error("the token was revoked")]
    Revoked,
    /// It could not be looked up, and that is no permission.
    #[error(transparent)]
    Unavailable(Problem),
}

impl AuthFailure {
    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Unknown => "token_unknown",
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::Unavailable(problem) => &problem.code,
        }
    }
}

impl Engine {
    /// The caller that a token stands for, as of now.
    pub async fn authenticate(&self, token: &str, via: Via) -> Result<Caller, AuthFailure> {
        if token.is_empty() {
            return Err(AuthFailure::Unauthenticated);
        }
        if is_run_token(token) {
            let claim = self.token_key.read(token).ok_or(AuthFailure::Unknown)?;
            return self.agent_caller(claim).await;
        }
        let digest = Sha256Digest::of(token.as_bytes());
        if let Some(local) = &self.local
            && same(digest, local.digest)
        {
            return Ok(Caller {
                via,
                ..local.caller.clone()
            });
        }
        let view = self.known.view().await.map_err(AuthFailure::Unavailable)?;
        // Every token is compared, so that the time taken tells nothing of them.
        let mut found: Option<&TokenRecord> = None;
        for record in view.state.tokens.values() {
            if same(digest, record.created.secret) {
                found = Some(record);
            }
        }
        let record = found.ok_or(AuthFailure::Unknown)?;
        match record.status(self.clock.now()) {
            TokenStatus::Active => Ok(caller(record, via)),
            TokenStatus::Revoked => Err(AuthFailure::Revoked),
            TokenStatus::Expired => Err(AuthFailure::Expired),
        }
    }

    /// A running agent, for as long as its run is under way under that very lease.
    async fn agent_caller(&self, claim: LeaseClaim) -> Result<Caller, AuthFailure> {
        let job = self
            .store
            .job(claim.job)
            .await
            .map_err(|error| AuthFailure::Unavailable(problems::from_store(error)))?
            .ok_or(AuthFailure::Unknown)?;
        let runs = matches!(job.state, JobState::Running { run } if run == claim.run);
        if !runs || !job.is_held_by(claim.lease, claim.epoch) {
            return Err(AuthFailure::Expired);
        }
        Ok(Caller {
            principal: format!("agent:{}", claim.run),
            token: None,
            via: Via::Mcp,
            scopes: [Scope::Agent].into(),
            projects: Some([job.project].into()),
            lease: Some(claim),
        })
    }
}

fn same(one: Sha256Digest, other: Sha256Digest) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn caller(record: &TokenRecord, via: Via) -> Caller {
    let created = &record.created;
    let scopes: BTreeSet<Scope> = created
        .scopes
        .iter()
        .filter_map(|name| Scope::parse(name))
        // Whatever was stored, nobody speaks for an agent but its own run's token.
        .filter(|scope| *scope != Scope::Agent)
        .collect();
    Caller {
        principal: created.principal.clone(),
        token: Some(created.id),
        via,
        scopes,
        projects: created.projects.clone(),
        lease: None,
    }
}
