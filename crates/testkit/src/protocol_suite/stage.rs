//! What a check works on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dogwatch_api::ControlPlane;

use crate::SimClock;

/// A control plane and those around it, all over the same transport.
#[async_trait]
pub trait Stage: Send + Sync {
    /// A person with the scopes `read`, `submit`, `operate`.
    fn user(&self) -> Arc<dyn ControlPlane>;
    /// A runner, with the scopes `read` and `runner`.
    fn runner(&self) -> Arc<dyn ControlPlane>;
    /// Another person, with the scopes `read`, `approve` and `admin`.
    fn chief(&self) -> Arc<dyn ControlPlane>;
    /// Whoever presents this token now.
    async fn bearer(&self, token: &str) -> Arc<dyn ControlPlane>;
    /// The wall clock of the control plane.
    fn clock(&self) -> SimClock;
    /// One sweep, at this instant of the control plane's steady clock.
    async fn sweep(&self, steady: Duration);
    /// Whether no more work is handed out.
    fn drain(&self, drain: bool);
}
