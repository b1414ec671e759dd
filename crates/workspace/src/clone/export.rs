//! A fresh copy of a result for gates.

use std::path::{Path, PathBuf};

use super::CloneError;
use super::layout::{check_out, prepare};
use crate::object_id::ObjectId;
use crate::vault::Vault;

/// The files of a tree in a fresh directory.
///
/// Many test commands ask git where they are, so this is a small repository too: HEAD is a branch `dogwatch/gate` at the base commit,
/// the index holds the tree, and so `git diff --cached` shows the change under judgement and `git status` nothing else. Names are
/// those of the tree: what T stores under an escaped name stays escaped here, because that is what would land.
#[derive(Clone, Debug)]
pub struct Export {
    directory: PathBuf,
}

impl Export {
    /// Writes `tree` into `directory`, which must not exist.
    pub fn create(
        vault: &Vault,
        base: ObjectId,
        tree: ObjectId,
        directory: &Path,
    ) -> Result<Self, CloneError> {
        let directory = prepare(vault, base, directory, "dogwatch/gate")?;
        check_out(&directory, tree)?;
        Ok(Self { directory })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.directory
    }
}
