//! Refs of the vault, read without a process, and the directories that must be on disk before a ref counts.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::open::{io_error, sync_directory};
use super::{Vault, VaultError};
use crate::object_id::ObjectId;

impl Vault {
    /// The object a ref names; none if there is no such ref.
    pub(crate) fn read_ref(&self, name: &str) -> Result<Option<ObjectId>, VaultError> {
        let path = self.path().join(name);
        let text = match fs::read(&path) {
            Ok(text) => Some(text),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                self.packed_ref(name)?
            }
            Err(source) => return Err(io_error("read", &path)(source)),
        };
        let Some(text) = text else { return Ok(None) };
        let id = ObjectId::from_hex(text.trim_ascii_end()).map_err(|error| {
            io_error("read", &path)(io::Error::new(io::ErrorKind::InvalidData, error))
        })?;
        Ok(Some(id))
    }

    fn packed_ref(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        let path = self.path().join("packed-refs");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", &path)(source)),
        };
        let found = text.split(|byte| *byte == b'\n').find_map(|line| {
            let (id, rest) = line.split_at_checked(self.object_format().hex_len())?;
            (rest.strip_prefix(b" ")? == name.as_bytes()).then(|| id.to_vec())
        });
        Ok(found)
    }

    /// Writes to disk the directories in which objects or refs were created since `since`. git syncs the files it writes, but not the
    /// directories that name them.
    pub(crate) fn sync_directories(&self, since: &Marker, name: &str) -> Result<(), VaultError> {
        let objects = self.objects();
        for entry in fs::read_dir(&objects).map_err(io_error("read", &objects))? {
            let path = entry.map_err(io_error("read", &objects))?.path();
            if since
                .is_older_than(&path)
                .map_err(io_error("inspect", &path))?
            {
                sync_directory(&path)?;
            }
        }
        sync_directory(&objects)?;
        // From the ref up to where `refs` itself stands.
        let top = self.path().join("refs");
        let mut directory: PathBuf = self.path().join(name);
        while directory.pop() && directory.starts_with(&top) {
            sync_directory(&directory)?;
        }
        Ok(())
    }

    /// Remembers the file system's own time, against which later changes can be told.
    pub(crate) fn marker(&self) -> Result<Marker, VaultError> {
        let path = self.path().join("dogwatch.lock");
        let touched = fs::File::options()
            .create(true)
            // Truncating would make closing the file wait for the disk.
            .truncate(false)
            .write(true)
            .open(&path)
            .and_then(|file| {
                io::Write::write_all(&mut &file, b"\n")?;
                file.metadata()
            });
        let metadata = touched.map_err(io_error("touch", &path))?;
        Ok(Marker {
            seconds: metadata.ctime(),
            nanoseconds: metadata.ctime_nsec(),
        })
    }
}

/// An instant of the file system.
pub(crate) struct Marker {
    seconds: i64,
    nanoseconds: i64,
}

impl Marker {
    fn is_older_than(&self, directory: &Path) -> io::Result<bool> {
        let changed = fs::symlink_metadata(directory)?;
        Ok(changed.is_dir()
            && (changed.ctime(), changed.ctime_nsec()) >= (self.seconds, self.nanoseconds))
    }
}
