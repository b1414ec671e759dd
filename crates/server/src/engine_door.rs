//! The engine as a server needs it.

use std::sync::Arc;

use async_trait::async_trait;
use dogwatch_api::{Caller, ControlPlane, ListJobs};
use dogwatch_core::event::Via;
use dogwatch_engine::{AuthFailure, Engine, Hint, InProcess};
use tokio::sync::broadcast;

use crate::app::{NotReady, Planes, Readiness};
use crate::auth::Authenticate;

/// An engine in the process of the server: its control planes, its tokens, and whether it is ready.
#[derive(Clone)]
pub struct EngineDoor(Arc<Engine>);

impl EngineDoor {
    /// The door to an engine.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self(engine)
    }
}

impl Planes for EngineDoor {
    fn plane(&self, caller: Caller) -> Arc<dyn ControlPlane> {
        Arc::new(InProcess::new(Arc::clone(&self.0), caller))
    }

    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.0.hints()
    }
}

#[async_trait]
impl Authenticate for EngineDoor {
    async fn authenticate(&self, token: &str, via: Via) -> Result<Caller, AuthFailure> {
        self.0.authenticate(token, via).await
    }
}

#[async_trait]
impl Readiness for EngineDoor {
    async fn ready(&self) -> Result<(), NotReady> {
        let one = ListJobs {
            limit: Some(1),
            ..ListJobs::default()
        };
        match self.plane(Caller::system()).list_jobs(one).await {
            Ok(_) => Ok(()),
            Err(problem) => Err(NotReady {
                reason: problem.detail,
            }),
        }
    }
}
