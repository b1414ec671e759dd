//! The record that ties a repository to its project: `dogwatch/link/project.json` in the common git directory.
//!
//! It is minted once. All linked worktrees share it, and processes that mint at the same time agree on one id. A record that cannot be
//! read is an error and is never replaced: a new id would orphan the vault, the sessions and the history of the project.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use dogwatch_core::Timestamp;
use dogwatch_core::ids::ProjectId;
use serde::{Deserialize, Serialize};

use crate::checkout::Checkout;
use crate::os;
use crate::path_bytes::PathBytes;

const SCHEMA_VERSION: u32 = 1;

/// What the record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectLink {
    schema_version: u32,
    /// The project of this repository.
    pub project_id: ProjectId,
    /// When the id was minted.
    pub minted_at: Timestamp,
}

/// A link record that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The file system refused.
    #[error("{action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBytes,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The record is there but makes no sense.
    #[error("read {path}: it is damaged; restore it, or move it away to start a new project")]
    Corrupt {
        /// Where.
        path: PathBytes,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The record was written by a newer dogwatch.
    #[error("read {path}: its schema version is {found}, this dogwatch knows {SCHEMA_VERSION}")]
    Version {
        /// Where.
        path: PathBytes,
        /// What it says.
        found: u32,
    },
}

/// The record of a repository; none if it was never linked.
pub fn read(checkout: &Checkout) -> Result<Option<ProjectLink>, LinkError> {
    read_file(&path_in(checkout.common_dir()))
}

/// The record of a repository, minted with `candidate` if there is none.
pub fn read_or_mint(
    checkout: &Checkout,
    candidate: ProjectId,
    minted_at: Timestamp,
) -> Result<ProjectLink, LinkError> {
    let path = path_in(checkout.common_dir());
    if let Some(link) = read_file(&path)? {
        return Ok(link);
    }
    let link = ProjectLink {
        schema_version: SCHEMA_VERSION,
        project_id: candidate,
        minted_at,
    };
    publish(&path, &link)?;
    // Another process may have been first: what stands there now is the answer for both.
    read_file(&path)?.ok_or_else(|| io_error("read back", &path)(io::ErrorKind::NotFound.into()))
}

fn path_in(common_dir: &Path) -> PathBuf {
    common_dir.join("dogwatch/link/project.json")
}

fn read_file(path: &Path) -> Result<Option<ProjectLink>, LinkError> {
    #[derive(Deserialize)]
    struct Version {
        schema_version: u32,
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("read", path)(source)),
    };
    let corrupt = |source| LinkError::Corrupt {
        path: path.into(),
        source,
    };
    // The version is looked at first, so that a newer record is called newer and not damaged.
    let version: Version = serde_json::from_slice(&bytes).map_err(corrupt)?;
    if version.schema_version != SCHEMA_VERSION {
        return Err(LinkError::Version {
            path: path.into(),
            found: version.schema_version,
        });
    }
    serde_json::from_slice(&bytes).map(Some).map_err(corrupt)
}

/// Writes the record under its final name only if nothing has that name, with its content already on disk.
fn publish(path: &Path, link: &ProjectLink) -> Result<(), LinkError> {
    let Some(directory) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(directory).map_err(io_error("create", directory))?;
    let temporary = directory.join(format!(".{}.{}.tmp", link.project_id, std::process::id()));
    let written =
        write_synced(&temporary, link).and_then(|()| match os::rename_new(&temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
    // After a successful rename the name is gone already.
    let _ = fs::remove_file(&temporary);
    written
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(io_error("write", path))
}

fn write_synced(path: &Path, link: &ProjectLink) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)?;
    serde_json::to_writer_pretty(&mut file, link)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> LinkError {
    let path = PathBytes::from(path);
    move |source| LinkError::Io {
        action,
        path: path.clone(),
        source,
    }
}
