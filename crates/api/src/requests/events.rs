//! The control log: every event in the order of commits.

use dogwatch_core::ids::{JobId, ProjectId};
use dogwatch_core::schemars;
use serde::{Deserialize, Serialize};

/// Which events.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct ListEvents {
    /// After this position; from the beginning if not given.
    #[serde(default)]
    pub after: Option<u64>,
    /// Of one job.
    #[serde(default)]
    pub job: Option<JobId>,
    /// Of one project.
    #[serde(default)]
    pub project: Option<ProjectId>,
    /// The most items, 1 to 1,000; 100 if not given.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// An event with its place in the log.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct LogEntry {
    /// Its place in the order of commits; a cursor.
    pub position: u64,
    /// The envelope, as it is stored.
    pub event: dogwatch_core::event::Envelope,
}

/// A page of the log, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "dogwatch_core::schemars")]
pub struct EventPage {
    /// The events.
    pub items: Vec<LogEntry>,
    /// Pass it as `after` for what comes next, whether it is there already or not.
    pub next_cursor: String,
}
