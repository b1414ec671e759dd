//! Making and opening a vault.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use dogwatch_core::ids::ProjectId;

use crate::git::{GitCommand, GitError};
use crate::object_id::{ObjectFormat, ObjectId};
use crate::path_bytes::PathBytes;

/// A vault that could not be made, opened or filled.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
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
    /// The configuration is not the one dogwatch wrote: git would obey it, so nothing is run there.
    #[error("use the vault {path}: its configuration was changed by somebody else")]
    Tampered {
        /// Where.
        path: PathBytes,
    },
    /// The vault names its objects with another hash than the repository.
    #[error("use the vault {path}: it is a {vault} repository and the checkout is {checkout}")]
    Format {
        /// Where.
        path: PathBytes,
        /// The vault's format.
        vault: ObjectFormat,
        /// The checkout's format.
        checkout: ObjectFormat,
    },
    /// A partial clone lacks objects of the commit.
    #[error(
        "fetch {commit}: the checkout is a partial clone and some objects are missing; `git fetch --refetch` brings them"
    )]
    PartialClone {
        /// The commit.
        commit: ObjectId,
        /// What git said.
        #[source]
        source: GitError,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// The bare repository of one project.
#[derive(Clone, Debug)]
pub struct Vault {
    path: PathBuf,
    format: ObjectFormat,
}

impl Vault {
    /// Opens the vault of a project below the data directory, or makes it.
    pub fn open_or_create(
        data: &Path,
        project: ProjectId,
        format: ObjectFormat,
    ) -> Result<Self, VaultError> {
        let vaults = data.join("vaults");
        let path = vaults.join(format!("{project}.git"));
        if let Some(found) = Self::open_path(&path)? {
            return found.with_format(format);
        }
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private
            .create(&vaults)
            .map_err(io_error("create", &vaults))?;
        create(&vaults, &path, project, format)?;
        let made = Self::open_path(&path)?;
        made.ok_or_else(|| io_error("open", &path)(io::ErrorKind::NotFound.into()))?
            .with_format(format)
    }

    /// Opens the vault of a project; none if it was never made.
    pub fn open(data: &Path, project: ProjectId) -> Result<Option<Self>, VaultError> {
        Self::open_path(&data.join("vaults").join(format!("{project}.git")))
    }

    fn open_path(path: &Path) -> Result<Option<Self>, VaultError> {
        // git would create or find other repositories by a relative path.
        let path = std::path::absolute(path).map_err(io_error("locate", path))?;
        let config = match fs::read(path.join("config")) {
            Ok(config) => config,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => {
                return Ok(None);
            }
            Err(source) => return Err(io_error("read the configuration of", &path)(source)),
        };
        let known = [ObjectFormat::Sha1, ObjectFormat::Sha256]
            .into_iter()
            .find(|format| configuration(*format).as_bytes() == config);
        // Objects borrowed from elsewhere would let that place decide what a run's result is.
        match known {
            Some(format) if !path.join("objects/info/alternates").exists() => {
                Ok(Some(Self { path, format }))
            }
            Some(_) | None => Err(VaultError::Tampered { path: path.into() }),
        }
    }

    fn with_format(self, checkout: ObjectFormat) -> Result<Self, VaultError> {
        if self.format == checkout {
            return Ok(self);
        }
        Err(VaultError::Format {
            path: self.path.into(),
            vault: self.format,
            checkout,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its objects are.
    pub fn objects(&self) -> PathBuf {
        self.path.join("objects")
    }

    /// Which ids it uses.
    pub const fn object_format(&self) -> ObjectFormat {
        self.format
    }

    pub(crate) fn command(&self, name: &'static str) -> Result<GitCommand, GitError> {
        GitCommand::trusted(&self.path, name)
    }

    /// Held while a file of the vault is read and rewritten; git itself locks its own.
    pub(super) fn lock(&self) -> Result<File, VaultError> {
        let path = self.path.join("dogwatch.lock");
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        locked.map_err(io_error("lock", &path))
    }
}

/// The whole configuration of a vault. It is compared byte for byte at every opening.
fn configuration(format: ObjectFormat) -> String {
    let (version, extension) = match format {
        ObjectFormat::Sha1 => (0, ""),
        ObjectFormat::Sha256 => (1, "[extensions]\n\tobjectFormat = sha256\n"),
    };
    format!(
        "# Written by dogwatch, which refuses to use the vault when this file differs.\n\
         [core]\n\trepositoryFormatVersion = {version}\n\tfileMode = true\n\tbare = true\n\tlogAllRefUpdates = false\n{extension}\
         [gc]\n\tauto = 0\n\tpruneExpire = never\n[maintenance]\n\tauto = false\n"
    )
}

/// Makes the repository beside its place and moves it there, so that a half-made vault is never seen.
fn create(
    vaults: &Path,
    path: &Path,
    project: ProjectId,
    format: ObjectFormat,
) -> Result<(), VaultError> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let temporary = vaults.join(format!(".{project}.{}.{serial}.tmp", std::process::id()));
    // A killed process with the same id may have left one.
    match fs::remove_dir_all(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("clear", &temporary)(error));
        }
        Ok(()) | Err(_) => {}
    }
    DirBuilder::new()
        .mode(0o700)
        .create(&temporary)
        .map_err(io_error("create", &temporary))?;
    let made = fill(&temporary, format).and_then(|()| match fs::rename(&temporary, path) {
        // Another process was first.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
            ) =>
        {
            Ok(())
        }
        other => other.map_err(io_error("create", path)),
    });
    // After a successful rename there is nothing left to remove.
    let _ = fs::remove_dir_all(&temporary);
    made?;
    sync_directory(vaults)
}

fn fill(directory: &Path, format: ObjectFormat) -> Result<(), VaultError> {
    GitCommand::init(directory, format, "dogwatch", true)?.run()?;
    let config = directory.join("config");
    fs::write(&config, configuration(format)).map_err(io_error("write", &config))?;
    for name in ["config", "HEAD", "objects", "refs", "."] {
        sync_directory(&directory.join(name))?;
    }
    Ok(())
}

pub(super) fn sync_directory(path: &Path) -> Result<(), VaultError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io_error("sync", path))
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> VaultError {
    let path = PathBytes::from(path);
    move |source| VaultError::Io {
        action,
        path: path.clone(),
        source,
    }
}
