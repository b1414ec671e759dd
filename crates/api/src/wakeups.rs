//! Wake-ups: hints that something may have changed. Lost, late, forged or repeated ones change nothing, and polling alone works.

use async_trait::async_trait;
use dogwatch_core::ids::JobId;
use dogwatch_core::schemars;
use serde::{Deserialize, Serialize};

/// A hint to a runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[schemars(crate = "dogwatch_core::schemars")]
pub enum Wakeup {
    /// The stream is open.
    Ready,
    /// There may be work: poll.
    JobAvailable,
    /// The job may have been called off: send a heartbeat.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// Nothing came for a while: poll, as always.
    Timeout,
}

/// Where a runner hears of them.
#[async_trait]
pub trait Wakeups: Send {
    /// The next one. `None` when no more will come: ask for new ones, and poll meanwhile.
    async fn next(&mut self) -> Option<Wakeup>;
}
