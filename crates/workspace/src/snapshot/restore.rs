//! From a tree in the vault back to files.

use std::fs;
use std::io;
use std::path::Path;

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
    let listing = vault
        .command("ls-tree")?
        .args(["-r", "-z", "--full-tree"])
        .arg(tree.to_string())
        .run()?;
    let mut blobs = CatFile::trusted(vault.path())?;
    for entry in parse_ls_tree(&listing) {
        let (mode, id, path) = entry?;
        let mut components: Vec<_> = path
            .split(|byte| *byte == b'/')
            .map(unescape_component)
            .collect();
        let name = components.pop().unwrap_or_default();
        let top = components.first().unwrap_or(&name);
        if **top == *b".git" {
            return Err(RestoreError::Repository { path: path.into() });
        }
        write_entry(&mut directories, &components, &name, (mode, id), &mut blobs).map_err(
            |error| match error {
                CopyError::Git(error) => RestoreError::Git(error),
                CopyError::Sink(source) => RestoreError::Io {
                    path: path.into(),
                    source,
                },
            },
        )?;
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
    go_to(directories, parents).map_err(CopyError::Sink)?;
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

/// Moves to a directory, making what is missing. git lists a directory's content in one piece, so what must be made was never there.
fn go_to(directories: &mut DirectoryStack, wanted: &[impl AsRef<[u8]>]) -> io::Result<()> {
    let shared = wanted
        .iter()
        .enumerate()
        .take_while(|(index, name)| directories.name_at(index + 1) == Some(name.as_ref()))
        .count();
    while directories.depth() > shared {
        directories.leave();
    }
    for name in &wanted[shared..] {
        os::create_directory(directories.current()?, name.as_ref())?;
        directories.enter(name.as_ref())?;
    }
    Ok(())
}
