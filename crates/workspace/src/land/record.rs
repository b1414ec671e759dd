//! What is written down while files change, in `.git/dogwatch/landing/` of the common directory.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use dogwatch_core::ids::RunId;
use serde::{Deserialize, Serialize};

use super::LandError;
use super::error::io_error;
use super::worktrees::Worktree;
use crate::checkout::Checkout;
use crate::object_id::ObjectId;
use crate::path_bytes::PathBytes;

const SCHEMA_VERSION: u32 = 1;

/// A landing that is being done, or was when its process died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    schema_version: u32,
    pub(super) run: RunId,
    pub(super) reference: String,
    pub(super) old: ObjectId,
    pub(super) new: ObjectId,
    files: PathBytes,
    git_dir: PathBytes,
}

impl Record {
    pub(super) fn new(
        run: RunId,
        reference: &str,
        old: ObjectId,
        new: ObjectId,
        worktree: &Worktree,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            run,
            reference: reference.to_owned(),
            old,
            new,
            files: worktree.files.as_path().into(),
            git_dir: worktree.git_dir.as_path().into(),
        }
    }

    /// The record of a repository, if there is one. One that cannot be read is an error: half a landing must not be taken for none.
    pub(super) fn read(checkout: &Checkout) -> Result<Option<Self>, LandError> {
        let path = directory(checkout).join("record.json");
        let failed = io_error("read", &path);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let record: Self = serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
        if record.schema_version != SCHEMA_VERSION {
            let text = "it was written by another version of dogwatch";
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        Ok(Some(record))
    }

    pub(super) fn worktree(&self) -> Worktree {
        Worktree {
            files: self.files.clone().into(),
            git_dir: self.git_dir.clone().into(),
        }
    }

    pub(super) fn interrupted(&self) -> LandError {
        LandError::Interrupted {
            run: self.run.to_string(),
            worktree: self.files.clone(),
        }
    }
}

fn directory(checkout: &Checkout) -> PathBuf {
    checkout.common_dir().join("dogwatch/landing")
}

/// The right to land in a repository, which one process has at a time and which dies with it.
pub(super) struct Desk {
    directory: PathBuf,
    _lock: File,
}

impl Desk {
    pub(super) fn take(checkout: &Checkout) -> Result<Self, LandError> {
        let directory = directory(checkout);
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private
            .create(&directory)
            .map_err(io_error("create", &directory))?;
        let path = directory.join("lock");
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        let lock = locked.map_err(io_error("lock", &path))?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// The index that is worked on.
    pub(super) fn index(&self) -> PathBuf {
        self.directory.join("index")
    }

    /// Writes the record, durably and whole.
    pub(super) fn write(&self, record: &Record) -> Result<(), LandError> {
        let path = self.directory.join("record.json");
        let draft = self.directory.join("record.json.draft");
        let failed = io_error("write", &path);
        let bytes = serde_json::to_vec_pretty(record).map_err(|error| failed(error.into()))?;
        File::create(&draft)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(&self.directory)?.sync_all())
            .map_err(failed)
    }

    /// Takes git's lock on an index. The lock is another name of a file of ours, so that it can be told from everybody else's later.
    pub(super) fn lock_index(&self, worktree: &Worktree) -> Result<(), LandError> {
        let lock = worktree.git_dir.join("index.lock");
        if self.owns(&lock)? {
            return Ok(());
        }
        let token = self.directory.join("index-lock");
        let made = remove_if_there(&token)
            .and_then(|()| File::create_new(&token).map(drop))
            .and_then(|()| fs::hard_link(&token, &lock));
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(LandError::IndexLocked {
                    worktree: worktree.files.as_path().into(),
                    lock: lock.into(),
                })
            }
            other => other.map_err(io_error("lock", &lock)),
        }
    }

    fn owns(&self, lock: &Path) -> Result<bool, LandError> {
        let identity = |path: &Path| match fs::symlink_metadata(path) {
            Ok(found) => Ok(Some((found.dev(), found.ino()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("look at", path)(error)),
        };
        let lock = identity(lock)?;
        Ok(lock.is_some() && lock == identity(&self.directory.join("index-lock"))?)
    }

    /// Puts the index that was worked on in place of the worktree's.
    pub(super) fn place_index(&self, worktree: &Worktree) -> Result<(), LandError> {
        let place = worktree.git_dir.join("index");
        fs::rename(self.index(), &place)
            .and_then(|()| File::open(&worktree.git_dir)?.sync_all())
            .map_err(io_error("replace", &place))
    }

    /// Gives the index back and forgets the record: lock first, as the record is what explains it.
    pub(super) fn clear(&self, worktree: &Worktree) -> Result<(), LandError> {
        let lock = worktree.git_dir.join("index.lock");
        if self.owns(&lock)? {
            fs::remove_file(&lock).map_err(io_error("remove", &lock))?;
        }
        for name in ["index", "index.lock", "record.json", "index-lock"] {
            let path = self.directory.join(name);
            remove_if_there(&path).map_err(io_error("remove", &path))?;
        }
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(io_error("sync", &self.directory))
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
