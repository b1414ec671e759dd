//! The engine, as the HTTP server asks for it: who a token stands for, and the control plane as that caller may use it.

use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_api::{Caller, ControlPlane};
use dogwatch_core::event::Via;
use dogwatch_engine::{Engine, Hint, InProcess};
use dogwatch_server::{AuthFailure, Authenticate, Planes};
use tokio::sync::broadcast;

pub(super) struct EngineTokens(pub(super) Arc<Engine>);

#[async_trait]
impl Authenticate for EngineTokens {
    async fn authenticate(&self, token: &str, via: Via) -> Result<Caller, AuthFailure> {
        use dogwatch_engine::AuthFailure as Engines;
        self.0
            .authenticate(token, via)
            .await
            .map_err(|failure| match failure {
                Engines::Unauthenticated | Engines::Unknown => AuthFailure::Unknown,
                Engines::Expired => AuthFailure::Expired,
                Engines::Revoked => AuthFailure::Revoked,
                Engines::Unavailable(problem) => AuthFailure::Unavailable(problem),
            })
    }
}

pub(super) struct EnginePlanes(pub(super) Arc<Engine>);

impl Planes for EnginePlanes {
    fn plane(&self, caller: Caller) -> Arc<dyn ControlPlane> {
        Arc::new(InProcess::new(self.0.clone(), caller))
    }

    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.0.hints()
    }
}
