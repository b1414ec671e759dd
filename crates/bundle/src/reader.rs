//! Reading a bundle for display, open or sealed. It checks forms, not signatures: whether to believe it is what `verify` says.

use std::fs;
use std::io;
use std::path::PathBuf;

use dogwatch_core::ids::RunId;
use dogwatch_core::journal::{self, JournalReading};

use crate::digest::read_capped;
use crate::journal_file::MAX_JOURNAL_BYTES;
use crate::layout::{
    ATTESTATION, BundleLayout, JOURNAL, MANIFEST, TurnPaths, is_gate_directory_name, turn_number,
};
use crate::manifest::{MAX_MANIFEST_BYTES, Manifest, ManifestError};
use crate::walk::{BundleDir, Found};

/// Why a bundle could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system said no.
    #[error("read {path}")]
    Io {
        /// What was read.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something that should be there is not.
    #[error("{path} is missing")]
    Missing {
        /// What.
        path: PathBuf,
    },
    /// Not a regular file, or too large to be one of a bundle.
    #[error("{path} is not what a bundle holds: {reason}")]
    Refused {
        /// What.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// The manifest is not one.
    #[error("read manifest {path}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        #[source]
        source: ManifestError,
    },
}

/// How far a bundle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleState {
    /// The run goes on, or ended without a seal.
    Unsealed,
    /// The seal was begun and has no signature yet.
    HalfSealed,
    /// There is a manifest and an attestation.
    Sealed,
}

/// A bundle on disk.
#[derive(Debug)]
pub struct BundleReader {
    layout: BundleLayout,
    dir: BundleDir,
    manifest: Option<Manifest>,
    state: BundleState,
}

impl BundleReader {
    /// Opens the bundle at a directory.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ReadError> {
        let layout = BundleLayout::new(root);
        let dir = BundleDir::open(layout.root()).map_err(|source| ReadError::Io {
            path: layout.root().to_owned(),
            source,
        })?;
        let manifest = match read_file(&layout, &dir, MANIFEST, MAX_MANIFEST_BYTES)? {
            Some(bytes) => {
                Some(
                    Manifest::from_bytes(&bytes).map_err(|source| ReadError::Manifest {
                        path: layout.manifest(),
                        source,
                    })?,
                )
            }
            None => None,
        };
        let state = match (&manifest, dir.root_file(ATTESTATION)) {
            (None, _) => BundleState::Unsealed,
            (Some(_), None) => BundleState::HalfSealed,
            (Some(_), Some(_)) => BundleState::Sealed,
        };
        Ok(Self {
            layout,
            dir,
            manifest,
            state,
        })
    }

    /// How far it is.
    pub const fn state(&self) -> BundleState {
        self.state
    }

    /// The manifest, unless the bundle is unsealed.
    pub const fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Its places.
    pub const fn layout(&self) -> &BundleLayout {
        &self.layout
    }

    /// The journal of `run`, checked. Findings are in the reading; only an unreadable file is an error.
    pub fn journal(&self, run: RunId) -> Result<JournalReading, ReadError> {
        let bytes =
            read_file(&self.layout, &self.dir, JOURNAL, MAX_JOURNAL_BYTES)?.ok_or_else(|| {
                ReadError::Missing {
                    path: self.layout.journal(),
                }
            })?;
        Ok(journal::read(
            run,
            &bytes,
            self.state != BundleState::Unsealed,
        ))
    }

    /// The turns there are, in order.
    pub fn turns(&self) -> Result<Vec<(u32, TurnPaths)>, ReadError> {
        let mut turns: Vec<_> = self
            .directories(self.layout.turns())?
            .iter()
            .filter_map(|name| turn_number(name))
            .map(|number| (number, self.layout.turn(number)))
            .collect();
        turns.sort_by_key(|(number, _)| *number);
        Ok(turns)
    }

    /// The directories of the gates there are, by name. A name is as [`crate::gate_directory_name`] made it.
    pub fn gates(&self) -> Result<Vec<(String, PathBuf)>, ReadError> {
        let mut gates: Vec<_> = self
            .directories(self.layout.gates())?
            .into_iter()
            .filter(|name| is_gate_directory_name(name))
            .map(|name| {
                let path = self.layout.gates().join(&name);
                (name, path)
            })
            .collect();
        gates.sort();
        Ok(gates)
    }

    fn directories(&self, path: PathBuf) -> Result<Vec<String>, ReadError> {
        let failed = |source| ReadError::Io {
            path: path.clone(),
            source,
        };
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(ReadError::Refused {
                    path,
                    reason: "not a directory",
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

fn read_file(
    layout: &BundleLayout,
    dir: &BundleDir,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, ReadError> {
    let path = || layout.root().join(name);
    match dir.root_file(name) {
        None => Ok(None),
        Some(Found::File(file)) => match read_capped(&file, limit) {
            Ok(Some(bytes)) => Ok(Some(bytes)),
            Ok(None) => Err(ReadError::Refused {
                path: path(),
                reason: "too large",
            }),
            Err(source) => Err(ReadError::Io {
                path: path(),
                source,
            }),
        },
        Some(Found::Refused(reason)) => Err(ReadError::Refused {
            path: path(),
            reason,
        }),
        Some(Found::EmptyDirectory | Found::ForeignDirectory) => Err(ReadError::Refused {
            path: path(),
            reason: "a directory",
        }),
        Some(Found::Unreadable(source)) => Err(ReadError::Io {
            path: path(),
            source,
        }),
    }
}
