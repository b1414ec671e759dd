//! How an agent's process ended, as far as a verdict needs to know.

use serde::{Deserialize, Serialize};

/// The end of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case", deny_unknown_fields)]
pub enum Exit {
    /// It ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal that dogwatch did not send ended it.
    Signalled {
        /// The signal.
        signal: i32,
    },
    /// The turn budget ran out.
    Budget {
        /// The budget.
        budget_ms: u64,
    },
    /// It was silent for too long.
    Stalled {
        /// For how long.
        silent_ms: u64,
    },
    /// It was stopped on request.
    Stopped {
        /// Why.
        reason: String,
    },
    /// The lease was not renewed in time, so the shim ended it.
    Fenced {},
    /// It could not be started.
    NotStarted {
        /// The operating system's word for why.
        error: String,
        /// Whether the program was not found, rather than refused.
        not_found: bool,
    },
}
