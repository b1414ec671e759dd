//! What every request has at hand.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use dogwatch_api::{Caller, ControlPlane};
use dogwatch_core::{Clock, Entropy};
use dogwatch_engine::Hint;
use tokio::sync::broadcast;

use crate::activity::Activity;
use crate::auth::Authenticate;
use crate::guard::AllowedHosts;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::stop::{Stopping, WeakUnfinished};

/// Why the server cannot do its work now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    /// What is missing, for a person.
    pub reason: String,
}

/// Whether the control plane can do its work.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Asks the store, and whatever else is needed.
    async fn ready(&self) -> Result<(), NotReady>;
}

/// Gives every caller the control plane as that caller may use it.
pub trait Planes: Send + Sync {
    /// The control plane for one caller.
    fn plane(&self, caller: Caller) -> Arc<dyn ControlPlane>;

    /// What wakes streams before they look by themselves. Hints may be lost.
    fn hints(&self) -> broadcast::Receiver<Hint>;
}

/// What a server is made of.
#[derive(Clone)]
pub struct Parts {
    /// The control plane.
    pub planes: Arc<dyn Planes>,
    /// The tokens.
    pub tokens: Arc<dyn Authenticate>,
    /// What `/readyz` asks.
    pub readiness: Arc<dyn Readiness>,
    /// The time, for ids.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids.
    pub entropy: Arc<dyn Entropy>,
    /// How much one client may ask.
    pub limits: Limits,
    /// Names of the server apart from loopback.
    pub hosts: AllowedHosts,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// Routes that are not part of the control API. They stand behind the same guard; their tokens are their own business.
    pub extra: Option<Router>,
}

/// The parts as handlers see them.
pub(crate) struct App {
    pub(crate) planes: Arc<dyn Planes>,
    pub(crate) tokens: Arc<dyn Authenticate>,
    pub(crate) readiness: Arc<dyn Readiness>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) limits: Limits,
    pub(crate) hosts: AllowedHosts,
    pub(crate) metrics: Metrics,
    pub(crate) activity: Activity,
    pub(crate) stopping: Stopping,
    pub(crate) unfinished: WeakUnfinished,
}
