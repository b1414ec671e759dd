//! Lending objects to a repository that dogwatch has just made.

use std::fs;
use std::path::Path;

use super::open::io_error;
use super::{Vault, VaultError};
use crate::clone::alternates_line;

impl Vault {
    /// Lets the repository at `git_dir` read the vault's objects, and tells it where their history ends.
    pub(crate) fn lend_to(&self, git_dir: &Path) -> Result<(), VaultError> {
        let info = git_dir.join("objects/info");
        fs::create_dir_all(&info).map_err(io_error("create", &info))?;
        let path = info.join("alternates");
        fs::write(&path, alternates_line(&self.objects())).map_err(io_error("write", &path))?;
        let cut = self.shallow()?;
        if cut.is_empty() {
            return Ok(());
        }
        let path = git_dir.join("shallow");
        let text: String = cut.iter().map(|id| format!("{id}\n")).collect();
        fs::write(&path, text).map_err(io_error("write", &path))
    }
}
