//! A repository for objects that are not trusted yet. It goes away with its value, and everything in it with it.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{HistoryError, io_error};
use crate::git::{GitCommand, GitError};
use crate::vault::Vault;

/// Objects of this size are streamed and not held in memory, and one thread does the work.
const CONFIGURATION: &str = "[core]\n\tbigFileThreshold = 16m\n[pack]\n\tthreads = 1\n\tdeltaCacheSize = 16m\n[fetch]\n\tfsckObjects = true\n[transfer]\n\tfsckObjects = true\n";

/// A repository of its own that reads what it lacks from the vault.
pub(super) struct Quarantine {
    directory: PathBuf,
}

impl Quarantine {
    /// Makes it at `directory`. What a killed process left there is removed first.
    pub(super) fn create(vault: &Vault, directory: &Path) -> Result<Self, HistoryError> {
        let directory = std::path::absolute(directory).map_err(io_error("locate", directory))?;
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("clear", &directory)(error));
            }
            Ok(()) | Err(_) => {}
        }
        GitCommand::init(&directory, vault.object_format(), "quarantine", true)?.run()?;
        let this = Self { directory };
        let config = this.directory.join("config");
        let written =
            fs::read_to_string(&config).and_then(|text| fs::write(&config, text + CONFIGURATION));
        written.map_err(io_error("write", &config))?;
        vault.lend_to(&this.directory)?;
        Ok(this)
    }

    pub(super) fn path(&self) -> &Path {
        &self.directory
    }

    pub(super) fn command(&self, name: &'static str) -> Result<GitCommand, GitError> {
        GitCommand::trusted(&self.directory, name)
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        // What cannot be removed now lies in the run's directory, which goes as a whole.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
