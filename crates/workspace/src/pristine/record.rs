//! What says that an entry is whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::object_id::ObjectId;
use crate::os;

const SCHEMA_VERSION: u32 = 1;

/// The places inside an entry.
#[derive(Clone, Debug)]
pub(super) struct EntryPaths {
    pub(super) top: PathBuf,
}

impl EntryPaths {
    pub(super) fn new(top: PathBuf) -> Self {
        Self { top }
    }

    pub(super) fn tree(&self) -> PathBuf {
        self.top.join("tree")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.top.join("tree/.git/index")
    }

    pub(super) fn listing(&self) -> PathBuf {
        self.top.join("listing")
    }

    fn record(&self) -> PathBuf {
        self.top.join("ready.json")
    }
}

/// Written last. It counts only until the machine is started anew: to make sure that tens of thousands of files are on disk would take
/// longer than to check them out again, so they need not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    schema_version: u32,
    pub(super) commit: ObjectId,
    pub(super) owner: Option<Owner>,
    boot: String,
    /// Roughly what the entry takes on disk.
    pub(super) bytes: u64,
    listing_len: u64,
    index_len: u64,
}

impl Record {
    pub(super) fn of(
        paths: &EntryPaths,
        commit: ObjectId,
        owner: Option<Owner>,
        bytes: u64,
    ) -> io::Result<Self> {
        let listing_len = fs::symlink_metadata(paths.listing())?.len();
        let index_len = fs::symlink_metadata(paths.index())?.len();
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            commit,
            owner,
            boot: os::boot_id()?,
            bytes: bytes + listing_len + index_len,
            listing_len,
            index_len,
        })
    }

    pub(super) fn write(&self, paths: &EntryPaths) -> io::Result<()> {
        let mut file = File::create_new(paths.record())?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")
    }

    /// The record of an entry; none if there is no entry, or one that is not what its record says. Such an entry holds nothing that
    /// could not be made again, so it is not an error.
    pub(super) fn read(paths: &EntryPaths) -> io::Result<Option<Self>> {
        let bytes = match fs::read(paths.record()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(record) = serde_json::from_slice::<Self>(&bytes) else {
            return Ok(None);
        };
        let is_file_of = |path: &Path, len| {
            fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == len)
        };
        let whole = record.schema_version == SCHEMA_VERSION
            && record.boot == os::boot_id()?
            && is_file_of(&paths.listing(), record.listing_len)
            && is_file_of(&paths.index(), record.index_len);
        Ok(whole.then_some(record))
    }
}
