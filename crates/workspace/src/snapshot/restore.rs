//! From a tree in the vault back to files.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::ignored::{FILES, Listing};
use crate::directory_stack::DirectoryStack;
use crate::git::{CatFile, CopyError, GitError};
use crate::object_id::ObjectId;
use crate::os;
use crate::path_bytes::PathBytes;
use crate::tree::{Mode, parse_ls_tree, unescape_component};
use crate::vault::Vault;

/// A tree that could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The directory has something in it.
    #[error("restore into {path}: it is not empty")]
    NotEmpty {
        /// Where.
        path: PathBytes,
    },
    /// The tree would write the repository of the directory it is restored into.
    #[error("restore {path}: the tree has a `.git` at its top")]
    Repository {
        /// What.
        path: PathBytes,
    },
    /// The file system refused.
    #[error("write {path}")]
    Io {
        /// Where.
        path: PathBytes,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Writes `tree` into `directory`, which is made if it does not exist and must be empty if it does. Escaped names become what they were.
/// The files are written here and not by git, so that no attribute, filter or forbidden name changes or refuses anything.
pub fn restore(vault: &Vault, tree: ObjectId, directory: &Path) -> Result<(), RestoreError> {
    restore_with_ignored(vault, tree, None, directory)
}

/// As [`restore`], with the ignored files and empty directories that a [complete](super::take) snapshot kept beside the tree.
pub fn restore_with_ignored(
    vault: &Vault,
    tree: ObjectId,
    ignored: Option<ObjectId>,
    directory: &Path,
) -> Result<(), RestoreError> {
    let io = |source| RestoreError::Io {
        path: directory.into(),
        source,
    };
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
        Ok(()) | Err(_) => {}
    }
    let mut directories = DirectoryStack::open(directory).map_err(io)?;
    if !directories
        .current()
        .and_then(os::entries)
        .map_err(io)?
        .is_empty()
    {
        return Err(RestoreError::NotEmpty {
            path: directory.into(),
        });
    }
    write_tree(vault, tree, &[], &mut directories)?;
    let Some(ignored) = ignored else {
        return Ok(());
    };
    write_tree(vault, ignored, FILES, &mut directories)?;
    for path in Listing::read(vault, ignored)?.empty_directories {
        let components: Vec<&[u8]> = path.as_bytes().split(|byte| *byte == b'/').collect();
        directories
            .go_to(&components, true)
            .map_err(|source| RestoreError::Io { path, source })?;
    }
    Ok(())
}

/// Writes what is below `prefix` in a tree or commit.
fn write_tree(
    vault: &Vault,
    tree: ObjectId,
    prefix: &[u8],
    directories: &mut DirectoryStack,
) -> Result<(), RestoreError> {
    let mut command = vault
        .command("ls-tree")?
        .args(["-r", "-z", "--full-tree"])
        .arg(tree.to_string());
    if !prefix.is_empty() {
        command = command.arg("--").arg(OsStr::from_bytes(prefix));
    }
    let listing = command.run()?;
    let mut blobs = CatFile::trusted(vault.path())?;
    for entry in parse_ls_tree(&listing) {
        let (mode, id, path) = entry?;
        let path = path.strip_prefix(prefix).unwrap_or(path);
        let mut components: Vec<_> = path
            .split(|byte| *byte == b'/')
            .map(unescape_component)
            .collect();
        let name = components.pop().unwrap_or_default();
        let top = components.first().unwrap_or(&name);
        if **top == *b".git" {
            return Err(RestoreError::Repository { path: path.into() });
        }
        write_entry(directories, &components, &name, (mode, id), &mut blobs).map_err(|error| {
            match error {
                CopyError::Git(error) => RestoreError::Git(error),
                CopyError::Sink(source) => RestoreError::Io {
                    path: path.into(),
                    source,
                },
            }
        })?;
    }
    Ok(blobs.finish()?)
}

fn write_entry(
    directories: &mut DirectoryStack,
    parents: &[impl AsRef<[u8]>],
    name: &[u8],
    (mode, id): (Mode, ObjectId),
    blobs: &mut CatFile,
) -> Result<(), CopyError> {
    directories.go_to(parents, true).map_err(CopyError::Sink)?;
    let current = directories.current().map_err(CopyError::Sink)?;
    match mode {
        Mode::File | Mode::Executable => {
            let mut file = os::create_file(current, name, mode == Mode::Executable)
                .map_err(CopyError::Sink)?;
            blobs.blob_to(id, &mut file).map(drop)
        }
        Mode::Symlink => {
            let target = blobs.blob(id).map_err(CopyError::Git)?;
            os::create_symlink(current, name, &target).map_err(CopyError::Sink)
        }
        Mode::Submodule => os::create_directory(current, name).map_err(CopyError::Sink),
    }
}
