//! The cache of one project.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::io_error;
use super::make::make;
use super::pins::Pins;
use super::record::{EntryPaths, Record};
use super::{Owner, PristineError};
use crate::object_id::ObjectId;
use crate::trash::Trash;
use crate::vault::Vault;

/// How much is kept that nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// How many checkouts.
    pub entries: usize,
    /// How many bytes, roughly.
    pub bytes: u64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            entries: 8,
            bytes: 8 << 30,
        }
    }
}

/// Checked-out base commits of one project, in a directory of their own.
#[derive(Clone, Debug)]
pub struct PristineCache {
    directory: PathBuf,
    trash: Trash,
    limits: CacheLimits,
}

/// An entry that stays as long as its holder does.
#[derive(Clone, Debug)]
pub(crate) struct Pristine {
    /// The lower layer.
    pub(crate) tree: PathBuf,
    /// What is in it.
    pub(crate) listing: PathBuf,
}

impl PristineCache {
    /// The cache in `directory`, which is made when it is needed. The trash must be on the same file system.
    pub fn new(directory: &Path, trash: Trash, limits: CacheLimits) -> Self {
        Self {
            directory: directory.to_owned(),
            trash,
            limits,
        }
    }

    /// Makes sure that `base` is there, for a run that may come.
    pub fn prepare(
        &self,
        vault: &Vault,
        base: ObjectId,
        owner: Option<Owner>,
    ) -> Result<(), PristineError> {
        self.create_directory()?;
        self.make_once(vault, base, owner, &key(base, owner))
    }

    /// The checkout of `base`, made if it is not there, and kept as long as the directory `holder` exists.
    pub(crate) fn hold(
        &self,
        vault: &Vault,
        base: ObjectId,
        owner: Option<Owner>,
        holder: &Path,
    ) -> Result<Pristine, PristineError> {
        const ATTEMPTS: usize = 3;
        self.create_directory()?;
        let key = key(base, owner);
        let entry = self.entry(&key);
        for attempt in 0..ATTEMPTS {
            {
                let _lock = self.lock("lock")?;
                if self.is_whole(&entry, base, owner)? {
                    let pins = self.pins(&key);
                    pins.add(holder).map_err(io_error("pin", &entry.top))?;
                    // Made just now, so there is one more than before.
                    if attempt > 0 {
                        self.trim_locked()?;
                    }
                    return Ok(Pristine {
                        tree: entry.tree(),
                        listing: entry.listing(),
                    });
                }
            }
            self.make_once(vault, base, owner, &key)?;
        }
        Err(PristineError::Lost {
            path: entry.top.into(),
        })
    }

    /// Takes back what [`hold`](Self::hold) promised, for every entry.
    pub(crate) fn let_go(
        &self,
        base: ObjectId,
        owner: Option<Owner>,
        holder: &Path,
    ) -> Result<(), PristineError> {
        let pins = self.pins(&key(base, owner));
        pins.remove(holder).map_err(io_error("unpin", holder))
    }

    /// Moves away what is beyond the limits and used by nobody, the longest unused first. Returns how many there were; they are deleted in
    /// the background.
    pub fn trim(&self) -> Result<usize, PristineError> {
        self.create_directory()?;
        let _lock = self.lock("lock")?;
        self.trim_locked()
    }

    fn trim_locked(&self) -> Result<usize, PristineError> {
        let io = io_error("read", &self.directory);
        let mut entries: Vec<(SystemTime, String, u64)> = Vec::new();
        for found in fs::read_dir(&self.directory).map_err(&io)? {
            let name = found.map_err(&io)?.file_name();
            let Some(key) = name.to_str().filter(|name| is_key(name)) else {
                continue;
            };
            let record = Record::read(&self.entry(key)).map_err(&io)?;
            let bytes = record.map_or(0, |record| record.bytes);
            entries.push((self.pins(key).last_use(), key.to_owned(), bytes));
        }
        entries.sort_unstable();
        let mut count = entries.len();
        let mut bytes: u64 = entries.iter().map(|(_, _, bytes)| bytes).sum();
        let mut moved = 0;
        for (_, key, size) in entries {
            if count <= self.limits.entries && bytes <= self.limits.bytes {
                break;
            }
            let pins = self.pins(&key);
            if pins
                .any()
                .map_err(io_error("read the pins of", &self.entry(&key).top))?
            {
                continue;
            }
            self.discard(&self.entry(&key).top)?;
            pins.clear()
                .map_err(io_error("clear the pins of", &self.entry(&key).top))?;
            count -= 1;
            bytes -= size;
            moved += 1;
        }
        Ok(moved)
    }

    /// Makes the entry unless it is there. One maker works at a time: a second would only do the same again.
    fn make_once(
        &self,
        vault: &Vault,
        base: ObjectId,
        owner: Option<Owner>,
        key: &str,
    ) -> Result<(), PristineError> {
        let _making = self.lock("making.lock")?;
        let entry = self.entry(key);
        {
            let _lock = self.lock("lock")?;
            if self.is_whole(&entry, base, owner)? {
                return Ok(());
            }
            // Not one of ours, or damaged: nobody can have it mounted and be well.
            if fs::symlink_metadata(&entry.top).is_ok() {
                self.discard(&entry.top)?;
            }
        }
        let temporary = EntryPaths::new(self.directory.join(".making"));
        // With the lock in our hands, what is there was left by a maker that died.
        if fs::symlink_metadata(&temporary.top).is_ok() {
            self.discard(&temporary.top)?;
        }
        let made = make(vault, base, owner, &temporary);
        if let Err(error) = made {
            // The reason matters more than what is left, which the next maker moves away.
            let _ = self.discard(&temporary.top);
            return Err(error);
        }
        fs::rename(&temporary.top, &entry.top).map_err(io_error("create", &entry.top))
    }

    fn is_whole(
        &self,
        entry: &EntryPaths,
        base: ObjectId,
        owner: Option<Owner>,
    ) -> Result<bool, PristineError> {
        let record = Record::read(entry).map_err(io_error("read", &entry.top))?;
        Ok(record.is_some_and(|record| record.commit == base && record.owner == owner))
    }

    fn discard(&self, directory: &Path) -> Result<(), PristineError> {
        self.trash.set_aside(directory)?.delete_in_background();
        Ok(())
    }

    fn create_directory(&self) -> Result<(), PristineError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(io_error("create", &self.directory))
    }

    fn lock(&self, name: &str) -> Result<File, PristineError> {
        let path = self.directory.join(name);
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        locked.map_err(io_error("lock", &path))
    }

    fn entry(&self, key: &str) -> EntryPaths {
        EntryPaths::new(self.directory.join(key))
    }

    fn pins(&self, key: &str) -> Pins {
        Pins::new(self.directory.join("pins").join(key))
    }
}

fn key(base: ObjectId, owner: Option<Owner>) -> String {
    match owner {
        Some(Owner { uid, gid }) => format!("{base}.{uid}.{gid}"),
        None => base.to_string(),
    }
}

/// Other names in the cache are locks, pins and what is being made.
fn is_key(name: &str) -> bool {
    let commit = name.split('.').next().unwrap_or_default();
    ObjectId::from_hex(commit.as_bytes()).is_ok()
}
