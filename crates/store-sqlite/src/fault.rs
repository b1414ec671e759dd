//! What goes wrong inside an operation, before it is known what that means for the store.

use dogwatch_store::StoreError;
use rusqlite::ErrorCode;

/// A failed operation: one that the store refuses, or one that SQLite could not carry out.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Refused; the store itself is well.
    Store(StoreError),
    /// SQLite failed.
    Sqlite(rusqlite::Error),
}

impl Fault {
    /// Something stored that cannot be read.
    pub(crate) fn corrupt(what: impl std::fmt::Display, reason: impl std::fmt::Display) -> Self {
        Self::Store(StoreError::Corrupt {
            what: what.to_string(),
            reason: reason.to_string(),
        })
    }

    /// Whether nothing may be written after this: the disk is full or failing, or the file is damaged. A failed fsync is never
    /// repeated, as the kernel may have dropped the pages that it could not write.
    pub(crate) fn is_fatal(&self) -> bool {
        match self {
            Self::Store(_) => false,
            Self::Sqlite(error) => is_fatal(error),
        }
    }
}

/// See [`Fault::is_fatal`].
pub(crate) fn is_fatal(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
        )
    )
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let error = match fault {
            Fault::Store(error) => return error,
            Fault::Sqlite(error) => error,
        };
        match error.sqlite_error_code() {
            // A constraint or trigger of the schema says that the write would have broken an invariant.
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch,
            ) => Self::Corrupt {
                what: "the database".to_owned(),
                reason: error.to_string(),
            },
            Some(_) => Self::Unavailable {
                reason: error.to_string(),
            },
            // Without a code of SQLite's it is a value of the wrong type.
            None => Self::Corrupt {
                what: "a stored value".to_owned(),
                reason: error.to_string(),
            },
        }
    }
}
