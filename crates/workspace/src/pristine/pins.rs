//! Who uses an entry.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

/// The pins of one entry: a directory with a file for every workspace. Its time of change is when the entry was last taken into use.
pub(super) struct Pins {
    directory: PathBuf,
}

impl Pins {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn of(&self, holder: &Path) -> PathBuf {
        let digest = Sha256::digest(holder.as_os_str().as_bytes());
        self.directory.join(hex::encode(&digest[..16]))
    }

    /// Keeps the entry as long as the directory `holder` exists.
    pub(super) fn add(&self, holder: &Path) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let pin = self.of(holder);
        // Anew, so that the directory changes.
        remove_if_there(&pin)?;
        fs::write(pin, holder.as_os_str().as_bytes())
    }

    pub(super) fn remove(&self, holder: &Path) -> io::Result<()> {
        remove_if_there(&self.of(holder))
    }

    /// Whether anybody uses the entry. Pins whose holder is gone are removed.
    pub(super) fn any(&self) -> io::Result<bool> {
        let pins = match fs::read_dir(&self.directory) {
            Ok(pins) => pins,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut used = false;
        for pin in pins {
            let pin = pin?.path();
            let holder = PathBuf::from(OsString::from_vec(fs::read(&pin)?));
            match fs::symlink_metadata(&holder) {
                // A pin that a crash left empty names no directory either.
                Err(error) if error.kind() == io::ErrorKind::NotFound => remove_if_there(&pin)?,
                // A holder that cannot be examined may be there.
                Ok(_) | Err(_) => used = true,
            }
        }
        Ok(used)
    }

    /// When somebody last began to use the entry.
    pub(super) fn last_use(&self) -> SystemTime {
        fs::symlink_metadata(&self.directory)
            .and_then(|found| found.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Forgets the entry.
    pub(super) fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
