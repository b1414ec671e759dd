//! The door for running agents: a socket of its own that is shown into their runs, and serves nothing but what a run's token may do.

use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_api::{Caller, Scope};
use dogwatch_core::event::Via;
use dogwatch_engine::AuthFailure;

use crate::auth::Authenticate;
use crate::route::{Access, Route};
use crate::routes;

/// The routes that a running agent may use.
pub fn agent_table() -> impl Iterator<Item = &'static Route> {
    routes::table().filter(|route| match route.access {
        Access::Public => false,
        Access::AnyOf(scopes) => scopes.contains(&Scope::Agent),
    })
}

/// Knows the tokens of runs. Any other counts for nothing here, so that a token which an agent got hold of is of no use to it.
pub(crate) struct RunTokensOnly(pub(crate) Arc<dyn Authenticate>);

#[async_trait]
impl Authenticate for RunTokensOnly {
    async fn authenticate(&self, token: &str, via: Via) -> Result<Caller, AuthFailure> {
        let caller = self.0.authenticate(token, via).await?;
        if caller.lease.is_some() && caller.may(Scope::Agent) {
            Ok(caller)
        } else {
            Err(AuthFailure::Unknown)
        }
    }
}
