//! What a shim leaves behind: how the command ended and what of it was captured.

use std::io;
use std::path::{Path, PathBuf};

use dogwatch_core::Timestamp;
use dogwatch_core::contract::Containment;
use serde::{Deserialize, Serialize};

use crate::containment::ContainmentReached;
use crate::identity::ProcessIdentity;

/// The version of [`ExitRecord`] this build writes and reads.
pub const RECORD_VERSION: u32 = 2;

/// The means by which the process tree was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// A PID namespace, emptied by the kernel.
    PidNamespace,
    /// Adoption of orphans and a scan of `/proc` until nothing was left.
    Subreaper,
}

/// Why the command ended. The first reason stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// It ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal that was not ours ended it.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// Its total time was used up.
    Budget,
    /// It was silent for too long.
    Stalled {
        /// For how long.
        silent_ms: u64,
    },
    /// Somebody asked for its end.
    Stopped {
        /// The reason given.
        reason: String,
    },
    /// The fencing deadline passed without a later one.
    Fenced,
    /// It never started.
    SpawnFailed {
        /// The operating system's number for the reason.
        errno: i32,
        /// What could not be done, and why.
        message: String,
    },
    /// It was not started, for it could not be contained as required.
    ContainmentMissing {
        /// The level that was required.
        required: Containment,
        /// The level that could be had.
        available: Containment,
        /// What was missing, as fragments.
        reasons: Vec<String>,
    },
    /// Its output could not be stored any more, so it was stopped.
    CaptureFailed {
        /// What could not be done, and why.
        message: String,
    },
    /// The first process of its namespace was killed from outside; how the command itself ended is not known.
    Lost,
}

/// How the main process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MainStatus {
    /// With an exit code.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
}

/// Processes of the tree that were still there when the main process had ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// How many.
    pub count: u64,
    /// The names some of them gave themselves: untrusted text, without control characters.
    pub names: Vec<String>,
    /// Why they could not be counted, if so: then the count says nothing.
    pub unknown: Option<String>,
}

/// The bytes of one stream, counted after the redactor: `seen = stored + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCounts {
    /// All of them.
    pub seen: u64,
    /// Those in the capture file.
    pub stored: u64,
    /// Those that are not.
    pub dropped: u64,
}

/// The shim's last word, written once after the tree is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// [`RECORD_VERSION`].
    pub v: u32,
    /// Why the command ended.
    pub cause: Cause,
    /// How the main process ended, where that is known.
    pub main_status: Option<MainStatus>,
    /// When the shim started the command.
    pub started_at: Timestamp,
    /// When the tree was gone.
    pub ended_at: Timestamp,
    /// When the last output arrived.
    pub last_progress_at: Option<Timestamp>,
    /// The main process, if it came to life.
    pub main: Option<ProcessIdentity>,
    /// The shim itself.
    pub shim: ProcessIdentity,
    /// How the tree was held; nothing if no process came to life.
    pub rung: Option<Rung>,
    /// Why the PID namespace was not used although it would have been preferred.
    pub rung_refused: Option<String>,
    /// Whether the command saw a `/proc` of its own.
    pub fresh_proc: bool,
    /// What was still running when the main process had ended.
    pub leftovers: Leftovers,
    /// Standard output.
    pub stdout: StreamCounts,
    /// Standard error.
    pub stderr: StreamCounts,
    /// The length of the capture file.
    pub frames_bytes: u64,
    /// Whether somebody outside the tree still held a pipe open when capture ended.
    pub pipes_left_open: bool,
    /// How the command was contained; nothing without a view, or if it did not begin.
    pub containment: Option<ContainmentReached>,
    /// How many processes it could have at once; nothing if that was not limited.
    pub max_processes: Option<u32>,
}

/// An exit record that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file could not be read.
    #[error("read the exit record {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not an exit record.
    #[error("understand the exit record {path}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The record is of another version.
    #[error("understand the exit record {path}: version {version} is not {RECORD_VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

impl ExitRecord {
    /// Reads a record. `None` means that none was written; a file that cannot be read or understood is an error.
    pub fn read(path: &Path) -> Result<Option<Self>, RecordError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(RecordError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let malformed = |source| RecordError::Malformed {
            path: path.to_owned(),
            source,
        };
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let Version { v: version } = serde_json::from_slice(&bytes).map_err(malformed)?;
        if version != RECORD_VERSION {
            return Err(RecordError::Version {
                path: path.to_owned(),
                version,
            });
        }
        serde_json::from_slice(&bytes).map(Some).map_err(malformed)
    }
}
