//! `shim.json`: how a later process finds a shim that an earlier one started.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::identity::ProcessIdentity;
use crate::os::durable;
use crate::text::RawText;

/// The name of the file in the directory given at spawn.
pub const SHIM_FILE: &str = "shim.json";

const VERSION: u32 = 1;

/// The note about a shim. It is durable before the shim is told what to run, so a command without one does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimFile {
    /// The version of this file.
    pub v: u32,
    /// The shim's process.
    pub shim: ProcessIdentity,
    /// Its control socket.
    pub control_path: RawText,
    /// Its exit record.
    pub exit_path: RawText,
}

/// A note that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ShimFileError {
    /// The file could not be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not such a note.
    #[error("understand {path}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The note is of another version.
    #[error("understand {path}: version {version} is not {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

impl ShimFile {
    pub(super) fn new(shim: ProcessIdentity, control_path: RawText, exit_path: RawText) -> Self {
        Self {
            v: VERSION,
            shim,
            control_path,
            exit_path,
        }
    }

    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        durable::write(
            &directory.join(SHIM_FILE),
            &serde_json::to_vec_pretty(self)?,
        )
    }

    /// Reads the note in a directory. `None` means that no shim was started there.
    pub fn read(directory: &Path) -> Result<Option<Self>, ShimFileError> {
        let path = directory.join(SHIM_FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ShimFileError::Read { path, source }),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(file) if file.v == VERSION => Ok(Some(file)),
            Ok(file) => Err(ShimFileError::Version {
                path,
                version: file.v,
            }),
            Err(source) => Err(ShimFileError::Malformed { path, source }),
        }
    }
}
