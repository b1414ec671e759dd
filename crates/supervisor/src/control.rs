//! The words spoken on a shim's control socket: one JSON object per line.

use dogwatch_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::ProcessIdentity;
use crate::record::Rung;

/// What a runner may ask of a shim. Each request is answered with [`Notice::Accepted`] or [`Notice::Refused`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// End the tree: ask it first, kill it after the grace.
    Stop {
        /// Why; it stands in the exit record.
        reason: String,
    },
    /// Kill the tree now.
    Kill {},
    /// Move the fencing deadline.
    Deadline {
        /// The instant on CLOCK_BOOTTIME.
        boottime_ns: u64,
    },
}

/// The processes of a command that came to life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// When.
    pub at: Timestamp,
    /// The command itself.
    pub main: ProcessIdentity,
    /// The process whose end takes the tree with it: the first process of the namespace, or the command itself.
    pub root: ProcessIdentity,
    /// How the tree is held.
    pub rung: Rung,
}

/// How far the output has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputProgress {
    /// When the last output arrived.
    pub at: Timestamp,
    /// Bytes seen on standard output.
    pub stdout: u64,
    /// Bytes seen on standard error.
    pub stderr: u64,
    /// The last line printed: untrusted text, clipped and without control characters.
    pub last_line: String,
}

/// What a shim says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice {
    /// The command runs.
    Started(Started),
    /// Output arrived. At most ten a second.
    Progress(OutputProgress),
    /// The request is being acted on.
    Accepted {},
    /// The request was not understood.
    Refused {
        /// Why.
        message: String,
    },
}

/// The one line a shim prints on its standard output before it starts the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Greeting {
    /// The control socket listens.
    Ready {},
    /// Nothing was started.
    Refused {
        /// Why.
        message: String,
    },
}
