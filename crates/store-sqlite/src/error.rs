//! Why a database was not opened, by what the caller can do about it.

use std::path::PathBuf;

use dogwatch_store::StoreError;

/// A database that was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no database yet: nothing was ever submitted here.
    #[error("there is no database at {}", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is some other program's database.
    #[error("{} is not a dogwatch database (application id {application_id:#x})", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The id it carries.
        application_id: i32,
    },
    /// The SQLite library is one that may lose data.
    #[error(
        "SQLite {found} must not be used: {} or newer is needed",
        crate::version::dotted(crate::MIN_LIBRARY_VERSION)
    )]
    LibraryVersion {
        /// The version that is linked.
        found: String,
    },
    /// The database was written by a newer dogwatch.
    #[error("{} has schema {found}, this binary knows up to {known}: use the newer dogwatch", path.display())]
    SchemaVersion {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i32,
        /// The newest one this binary knows.
        known: i32,
    },
    /// The database was written by an older dogwatch, and a reader does not change it.
    #[error("{} has schema {found}, older than {known}: any command that changes something brings it up to date", path.display())]
    NeedsMigration {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i32,
        /// The one this binary reads.
        known: i32,
    },
    /// The database is damaged.
    #[error("{} is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The schema could not be brought up to date.
    #[error("migrating {}", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<refinery::Error>,
    },
    /// The file system refused.
    #[error("opening {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("opening {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::LibraryVersion { .. }
            | OpenError::SchemaVersion { .. }
            | OpenError::NeedsMigration { .. } => Self::Version(error.to_string()),
            OpenError::Corrupt { path, reason } => Self::Corrupt {
                what: path.display().to_string(),
                reason,
            },
            OpenError::Foreign { ref path, .. } => Self::Corrupt {
                what: path.display().to_string(),
                reason: error.to_string(),
            },
            OpenError::NotFound { .. } => Self::Unavailable {
                reason: error.to_string(),
            },
            OpenError::Migration { ref source, .. } => Self::Unavailable {
                reason: format!("{error}: {source}"),
            },
            OpenError::Io { ref source, .. } => Self::Unavailable {
                reason: format!("{error}: {source}"),
            },
            OpenError::Sqlite { ref source, .. } => Self::Unavailable {
                reason: format!("{error}: {source}"),
            },
        }
    }
}
