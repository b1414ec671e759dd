//! The file of a lane.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use dogwatch_core::log_event::LogLane;
use nix::libc;

use super::error::OplogError;
use super::rotation::Rotation;

/// How large the files of a lane get, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// A file is rolled over before it gets larger than this.
    pub(crate) max_bytes: u64,
    /// How many files of a lane that were rolled over are kept.
    pub(crate) keep: usize,
}

/// The open file of a lane.
#[derive(Debug)]
pub(super) struct LaneFile {
    file: File,
    length: u64,
    max_bytes: u64,
    rotation: Rotation,
}

impl LaneFile {
    /// Opens it where the process before this one left it.
    pub(super) fn open(directory: &Path, lane: LogLane, sizes: Sizes) -> Result<Self, OplogError> {
        let rotation = Rotation::new(directory, lane, sizes.keep);
        rotation
            .tidy()
            .map_err(OplogError::file("put in order", directory))?;
        let path = rotation.current();
        let (file, length) = open(&path).map_err(OplogError::file("open", &path))?;
        Ok(Self {
            file,
            length,
            max_bytes: sizes.max_bytes,
            rotation,
        })
    }

    /// Appends a line, whole or not at all.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        if self.length > 0 && self.length + length > self.max_bytes {
            self.roll_over()?;
        }
        if let Err(error) = self.file.write_all(line) {
            // A full disk takes a part of a line; what follows must not be glued to it.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += length;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Once the file has been put aside the new one is what counts: that the old one stays plain, or one too many, is mended the next time.
    fn roll_over(&mut self) -> io::Result<()> {
        self.rotation.roll_over()?;
        (self.file, self.length) = open(&self.rotation.current())?;
        let _ = self.rotation.tidy();
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let mut length = file.seek(SeekFrom::End(0))?;
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        // A killed process may have left half a line. It stays, on a line of its own.
        if last != *b"\n" {
            file.write_all(b"\n")?;
            length += 1;
        }
    }
    Ok((file, length))
}
