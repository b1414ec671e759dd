//! Directories and files of the owner alone, and when their names are durable.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;

/// Makes the entries of a directory durable.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Creates a directory of the owner alone, and those above it, unless they are there.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates one directory of the owner alone, unless it is there.
///
/// Not those above it: when they have gone, others in their place would be empty.
pub(crate) fn create_one(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Opens a file to read; `None` if there is none in a directory that is there.
///
/// A directory that has gone is an error: what was in it is not read as empty.
pub(crate) fn open(root: &Path, path: &Path) -> io::Result<Option<File>> {
    match options().read(true).open(path) {
        Ok(file) => regular(file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            root.metadata()?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Opens a file to read and write, and creates it if there is none.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    regular(
        options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?,
    )
}

/// A link is an error, and a pipe does not wait for its other end.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    options
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not a regular file",
        ))
    }
}

/// Whether an error says that what is there is of the wrong kind, and not that it cannot be reached now.
pub(crate) fn is_wrong_kind(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory
    ) || error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32)
}
