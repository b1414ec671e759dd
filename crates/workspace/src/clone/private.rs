//! The clone an agent works in.

use std::path::{Path, PathBuf};

use super::CloneError;
use super::layout::{check_out, prepare};
use crate::object_id::ObjectId;
use crate::vault::Vault;

/// A repository of its own for one run: own refs, own configuration, own index; objects borrowed from the vault.
///
/// Once an agent has run in it, nothing on the host runs git there again. Its content is read by [`crate::snapshot::create`].
#[derive(Clone, Debug)]
pub struct PrivateClone {
    directory: PathBuf,
}

impl PrivateClone {
    /// Checks out `base` into `directory`, which must not exist, on a new branch.
    pub fn create(
        vault: &Vault,
        base: ObjectId,
        directory: &Path,
        branch: &str,
    ) -> Result<Self, CloneError> {
        let directory = prepare(vault, base, directory, branch)?;
        check_out(&directory, base)?;
        Ok(Self { directory })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.directory
    }
}
