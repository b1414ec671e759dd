//! A workspace that is there.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::OverlayError;
use super::error::io_error;
use crate::object_id::ObjectId;
use crate::pristine::{Owner, Pristine, PristineCache};
use crate::trash::{Discarded, RemoveError, Trash};
use crate::tree::{Contents, Layers, Marks};
use crate::vault::Vault;

const SCHEMA_VERSION: u32 = 1;

/// What has to be mounted so that a command sees the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayPaths {
    /// Where the command sees it: an empty directory.
    pub target: PathBuf,
    /// The checked-out base commit, shared with others and never written.
    pub lower: PathBuf,
    /// Everything that is different.
    pub upper: PathBuf,
    /// For the kernel.
    pub work: PathBuf,
}

/// A workspace as the layers of an overlay.
#[derive(Clone, Debug)]
pub struct OverlayWorkspace {
    paths: OverlayPaths,
    top: PathBuf,
    listing: PathBuf,
    base: ObjectId,
    owner: Option<Owner>,
    marks: Marks,
}

impl OverlayWorkspace {
    /// The workspace in a run's directory; none if it was never made, or not to the end.
    ///
    /// The base is checked out again if it is not in the cache any more.
    pub fn open(
        vault: &Vault,
        cache: &PristineCache,
        run_dir: &Path,
    ) -> Result<Option<Self>, OverlayError> {
        let run_dir = std::path::absolute(run_dir).map_err(io_error("locate", run_dir))?;
        let places = at(&run_dir);
        let Some(record) = Record::read(&places.record)? else {
            return Ok(None);
        };
        let pristine = cache.hold(vault, record.base, record.owner, &places.top)?;
        Ok(Some(Self::assemble(&record, places, pristine)))
    }

    pub(super) fn assemble(record: &Record, places: Places, pristine: Pristine) -> Self {
        Self {
            paths: OverlayPaths {
                target: places.target,
                lower: pristine.tree,
                upper: places.upper,
                work: places.work,
            },
            top: places.top,
            listing: pristine.listing,
            base: record.base,
            owner: record.owner,
            marks: record.marks,
        }
    }

    /// What has to be mounted.
    pub fn paths(&self) -> &OverlayPaths {
        &self.paths
    }

    /// With which rights it has to be mounted: with `userxattr` if the marks are the user's.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// The commit of the lower layer.
    pub fn base(&self) -> ObjectId {
        self.base
    }

    /// Where T is read from.
    pub fn contents(&self) -> Contents<'_> {
        Contents::Layers(Layers {
            upper: &self.paths.upper,
            lower: &self.paths.lower,
            listing: &self.listing,
            marks: self.marks,
        })
    }

    /// Moves the workspace into the trash. Nothing may have it mounted. The base commit is free to leave the cache then.
    pub fn release(self, cache: &PristineCache, trash: &Trash) -> Result<Discarded, RemoveError> {
        // The mount point is empty unless somebody wrote to it without a mount; then it stays for the clean-up of the run's directory.
        let _ = fs::remove_dir(&self.paths.target);
        let discarded = trash.set_aside(&self.top)?;
        // A pin whose directory is gone means nothing, so one that cannot be removed does no harm.
        let _ = cache.let_go(self.base, self.owner, &self.top);
        Ok(discarded)
    }
}

/// Where everything of a workspace is.
pub(super) struct Places {
    pub(super) target: PathBuf,
    pub(super) top: PathBuf,
    pub(super) upper: PathBuf,
    pub(super) work: PathBuf,
    pub(super) record: PathBuf,
}

pub(super) fn at(run_dir: &Path) -> Places {
    let top = run_dir.join("overlay");
    Places {
        target: run_dir.join("workspace"),
        upper: top.join("upper"),
        work: top.join("work"),
        record: top.join("record.json"),
        top,
    }
}

/// What has to be known of the layers to read them. Written last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    schema_version: u32,
    base: ObjectId,
    owner: Option<Owner>,
    marks: Marks,
}

impl Record {
    pub(super) fn new(base: ObjectId, owner: Option<Owner>, marks: Marks) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            base,
            owner,
            marks,
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), OverlayError> {
        let temporary = path.with_extension("tmp");
        let mut bytes = serde_json::to_vec(self).map_err(|source| OverlayError::Corrupt {
            path: path.into(),
            source,
        })?;
        bytes.push(b'\n');
        fs::File::create(&temporary)
            .and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&temporary, path))
            .map_err(io_error("write", path))
    }

    pub(super) fn read(path: &Path) -> Result<Option<Self>, OverlayError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", path)(error)),
        };
        let corrupt = |source| OverlayError::Corrupt {
            path: path.into(),
            source,
        };
        let version: Version = serde_json::from_slice(&bytes).map_err(corrupt)?;
        if version.schema_version != SCHEMA_VERSION {
            return Err(OverlayError::Version {
                path: path.into(),
                found: version.schema_version,
                known: SCHEMA_VERSION,
            });
        }
        serde_json::from_slice(&bytes).map(Some).map_err(corrupt)
    }
}
