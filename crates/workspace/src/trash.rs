//! Removing what an agent left: trees of any depth, with any permissions.
//!
//! A directory is first moved aside, so that its name is free at once and a killed removal leaves nothing half-deleted in place. Then
//! it is taken apart without recursion: every subdirectory is moved up to the top before it is read.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::os::{self, EntryKind};
use crate::path_bytes::PathBytes;

/// A directory that could not be removed completely. What is left of it is in the trash.
#[derive(Debug, thiserror::Error)]
#[error("remove {path}")]
pub struct RemoveError {
    path: PathBytes,
    #[source]
    source: io::Error,
}

/// Where directories go to be removed, in the same data directory and so on the same file system.
#[derive(Clone, Debug)]
pub struct Trash {
    directory: PathBuf,
}

impl Trash {
    /// The trash of a data directory.
    pub fn of(data: &Path) -> Self {
        Self {
            directory: data.join("trash"),
        }
    }

    /// Removes `directory` with everything in it. One that does not exist is removed already.
    pub fn remove(&self, directory: &Path) -> Result<(), RemoveError> {
        self.set_aside(directory)?.delete()
    }

    /// Moves `directory` out of its place, which takes no time however much there is in it. What is not deleted then is deleted by the
    /// next [`sweep`](Self::sweep).
    pub fn set_aside(&self, directory: &Path) -> Result<Discarded, RemoveError> {
        let failed = |source| RemoveError {
            path: directory.into(),
            source,
        };
        let bin = self.fresh_bin().map_err(|source| RemoveError {
            path: self.directory.as_path().into(),
            source,
        })?;
        match fs::rename(directory, bin.join("0")) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Moving a directory changes its `..`, which takes the right to write to it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                make_writable(directory)
                    .and_then(|()| fs::rename(directory, bin.join("0")))
                    .map_err(failed)?;
            }
            Err(error) => {
                // Nothing was moved, so the bin is empty.
                let _ = fs::remove_dir(&bin);
                return Err(failed(error));
            }
        }
        Ok(Discarded {
            bin,
            path: directory.into(),
        })
    }

    /// Removes what earlier removals left behind, and says how many there were.
    pub fn sweep(&self) -> Result<u64, RemoveError> {
        let failed = |source| RemoveError {
            path: self.directory.as_path().into(),
            source,
        };
        let bins = match fs::read_dir(&self.directory) {
            Ok(bins) => bins,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(failed(error)),
        };
        let mut swept = 0;
        for bin in bins {
            let bin = bin.map_err(failed)?.path();
            empty(&bin).map_err(|source| RemoveError {
                path: bin.as_path().into(),
                source,
            })?;
            swept += 1;
        }
        Ok(swept)
    }

    fn fresh_bin(&self) -> io::Result<PathBuf> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let mut private = DirBuilder::new();
        private.mode(0o700);
        match private.create(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        loop {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let bin = self
                .directory
                .join(format!("{}-{serial}", std::process::id()));
            match private.create(&bin) {
                // Left by a process that had our id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other.map(|()| bin),
            }
        }
    }
}

/// A directory that is in the trash and not yet deleted.
#[derive(Debug)]
#[must_use = "what is not deleted takes space until the trash is swept"]
pub struct Discarded {
    bin: PathBuf,
    path: PathBytes,
}

impl Discarded {
    /// Deletes it.
    pub fn delete(self) -> Result<(), RemoveError> {
        empty(&self.bin).map_err(|source| RemoveError {
            path: self.path,
            source,
        })
    }

    /// Deletes it on a thread of its own. What fails, or does not come to its end, is left to the next sweep, which reports it.
    pub fn delete_in_background(self) {
        let _ = std::thread::Builder::new()
            .name("trash".to_owned())
            .spawn(move || self.delete());
    }
}

fn make_writable(directory: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    os::chmod_own(os::open_root(parent)?.as_fd(), name.as_encoded_bytes())
}

/// Removes a bin. What cannot be removed does not keep the rest; the first failure is returned at the end.
fn empty(bin: &Path) -> io::Result<()> {
    let top = os::open_root(bin)?;
    let mut moved = 0;
    let mut failure = None;
    loop {
        let names = os::entries(top.as_fd())?;
        let mut progress = false;
        for name in names {
            match take_apart(top.as_fd(), &name, &mut moved) {
                Ok(()) => progress = true,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        // Every round takes the whole top level away and brings up the next one.
        if !progress {
            break;
        }
    }
    match failure {
        Some(error) => Err(error),
        None => fs::remove_dir(bin),
    }
}

/// Removes one entry of the top level, after moving its subdirectories there.
fn take_apart(top: BorrowedFd<'_>, name: &[u8], moved: &mut u64) -> io::Result<()> {
    if os::metadata_at(top, name)?.kind != EntryKind::Directory {
        return os::remove_file(top, name);
    }
    if os::remove_directory(top, name).is_ok() {
        return Ok(());
    }
    os::chmod_own(top, name)?;
    let directory = os::open_directory(top, name)?;
    for child in os::entries(directory.as_fd())? {
        if os::metadata_at(directory.as_fd(), &child)?.kind == EntryKind::Directory {
            if os::remove_directory(directory.as_fd(), &child).is_ok() {
                continue;
            }
            os::chmod_own(directory.as_fd(), &child)?;
            move_up(directory.as_fd(), &child, top, moved)?;
        } else {
            os::remove_file(directory.as_fd(), &child)?;
        }
    }
    os::remove_directory(top, name)
}

fn move_up(
    from: BorrowedFd<'_>,
    child: &[u8],
    top: BorrowedFd<'_>,
    moved: &mut u64,
) -> io::Result<()> {
    loop {
        *moved += 1;
        let name = format!("d{moved}");
        // A rename onto an empty directory would replace it, which is as good; onto any other it fails and the next number is tried.
        match os::rename_at(from, child, top, name.as_bytes()) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists
                        | io::ErrorKind::DirectoryNotEmpty
                        | io::ErrorKind::NotADirectory
                ) => {}
            other => return other,
        }
    }
}
