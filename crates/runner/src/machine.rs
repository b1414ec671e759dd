//! The machine's identity: minted once, shared by every project, kept in the configuration directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use dogwatch_core::Timestamp;
use dogwatch_core::ids::MachineId;
use serde::{Deserialize, Serialize};

/// `machine.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineRecord {
    /// The version of the file.
    pub schema_version: u32,
    /// The machine.
    pub machine_id: MachineId,
    /// When it was minted.
    pub minted_at: Timestamp,
}

/// The identity could not be read or made. It is never made anew because it was unreadable.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The file or its directory.
    #[error("use {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file is not a machine record.
    #[error("understand {path}; if this machine has no runs worth keeping, delete it")]
    Malformed {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

impl MachineRecord {
    /// Reads the record, or writes `candidate` where there is none. Two processes agree on one.
    pub fn read_or_mint(
        path: &Path,
        candidate: MachineId,
        now: Timestamp,
    ) -> Result<Self, MachineError> {
        let io = |source| MachineError::Io {
            path: path.to_owned(),
            source,
        };
        if let Some(record) = Self::read(path)? {
            return Ok(record);
        }
        let parent = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(io)?;
        let record = Self {
            schema_version: 1,
            machine_id: candidate,
            minted_at: now,
        };
        let bytes =
            serde_json::to_vec_pretty(&record).map_err(|source| MachineError::Malformed {
                path: path.to_owned(),
                source,
            })?;
        // A whole file appears at once or not at all, and the first one wins.
        let draft = parent.join(format!(".machine.{}", candidate.short()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .map_err(io)?;
        file.write_all(&bytes)
            .and_then(|()| file.sync_all())
            .map_err(io)?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft).map_err(io)?;
        match linked {
            Ok(()) => Ok(record),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::parse(path, &fs::read(path).map_err(io)?)
            }
            Err(source) => Err(io(source)),
        }
    }

    /// Reads the record, if there is one.
    pub fn read(path: &Path) -> Result<Option<Self>, MachineError> {
        match fs::read(path) {
            Ok(bytes) => Self::parse(path, &bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(MachineError::Io {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, MachineError> {
        serde_json::from_slice(bytes).map_err(|source| MachineError::Malformed {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dogwatch_core::ids::uuid_v7;

    fn id(byte: u8) -> MachineId {
        MachineId::from_uuid(uuid_v7(Timestamp::EPOCH, &[byte; 10]))
    }

    #[test]
    fn the_first_identity_stays_and_an_unreadable_one_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/machine.json");
        let first = MachineRecord::read_or_mint(&path, id(1), Timestamp::EPOCH).unwrap();
        let second = MachineRecord::read_or_mint(&path, id(2), Timestamp::EPOCH).unwrap();
        assert_eq!(first, second);
        fs::write(&path, "{").unwrap();
        let error = MachineRecord::read_or_mint(&path, id(3), Timestamp::EPOCH).unwrap_err();
        assert!(matches!(error, MachineError::Malformed { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"{");
    }
}
