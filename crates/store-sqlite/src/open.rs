//! Opening the file: who may read it, how it is written, and whether it ended well the last time.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::OpenError;
use crate::migrate::{self, Found, SCHEMA_VERSION};
use crate::version::check_library_version;

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 64;

/// Up to this size a database that did not end well is checked before it is used; checking reads every page.
const CHECKED_AT_OPEN: u64 = 64 << 20;

/// How much of the write-ahead log's file is kept once it was copied into the database.
const LOG_KEPT: i64 = 32 << 20;

/// Opens the database to write, creating it if there is none.
pub(crate) fn writer(path: &Path) -> Result<Connection, OpenError> {
    check_library_version(rusqlite::version_number())?;
    create_private(path).map_err(|source| OpenError::Io {
        path: path.to_owned(),
        source,
    })?;
    let unclean = ended_unclean(path);
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|source| sqlite_error(path, source))?;
    common(&connection).map_err(|source| sqlite_error(path, source))?;
    // Switching to WAL writes to the file, so it is judged first.
    let found = migrate::inspect(&connection, path)?;
    durable(&connection).map_err(|source| sqlite_error(path, source))?;
    if unclean && found != Found::Empty {
        quick_check(&connection, path)?;
    }
    migrate::run(&mut connection, path)?;
    Ok(connection)
}

/// Opens the database to read. Nothing is created, recovered or migrated in it.
///
/// After a writer was killed its last commits stand only in the write-ahead log, whose index SQLite then makes again in the `-shm`
/// file beside the database: that file is the one thing a reader may create, so it needs a directory that it can write to.
pub(crate) fn reader(path: &Path) -> Result<Connection, OpenError> {
    check_library_version(rusqlite::version_number())?;
    match fs::metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::NotFound {
                path: path.to_owned(),
            });
        }
        Err(source) => {
            return Err(OpenError::Io {
                path: path.to_owned(),
                source,
            });
        }
    }
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|source| sqlite_error(path, source))?;
    common(&connection)
        .and_then(|()| connection.pragma_update(None, "query_only", true))
        .map_err(|source| sqlite_error(path, source))?;
    match migrate::inspect(&connection, path)? {
        Found::Schema(SCHEMA_VERSION) => Ok(connection),
        Found::Schema(found) => Err(OpenError::NeedsMigration {
            path: path.to_owned(),
            found,
            known: SCHEMA_VERSION,
        }),
        // Its first writer has not come as far as the schema.
        Found::Empty => Err(OpenError::NotFound {
            path: path.to_owned(),
        }),
    }
}

/// Says what an error while opening means.
pub(crate) fn sqlite_error(path: &Path, source: rusqlite::Error) -> OpenError {
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => OpenError::Corrupt {
            path: path.to_owned(),
            reason: source.to_string(),
        },
        _ => OpenError::Sqlite {
            path: path.to_owned(),
            source,
        },
    }
}

/// What every connection has.
fn common(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A checkpoint at close would make a reader a writer, and the writer does its own.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // A damaged schema is refused, and nothing in it may call functions.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    connection.pragma_update(None, "temp_store", "memory")
}

/// What makes an acknowledged commit survive a power cut; read back, as SQLite answers a setting it does not take with silence.
fn durable(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "full")?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_KEPT, |_| Ok(()))?;
    if mode == "wal" && synchronous == 2 {
        Ok(())
    } else {
        Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some(format!(
                "journal_mode is {mode} and synchronous {synchronous}, not wal and 2: is this a network file system?"
            )),
        ))
    }
}

/// Creates the file for its owner alone, or takes from everyone else what they should not have had. SQLite gives the files beside it
/// the same mode.
fn create_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(file) => {
            file.sync_all()?;
            let directory = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            File::open(directory)?.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut permissions = fs::metadata(path)?.permissions();
            if permissions.mode() & 0o077 != 0 {
                permissions.set_mode(permissions.mode() & 0o700);
                fs::set_permissions(path, permissions)?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Whether the last writer did not close: it empties its write-ahead log when it does.
fn ended_unclean(path: &Path) -> bool {
    fs::metadata(log_path(path)).is_ok_and(|log| log.len() > 0)
}

/// The write-ahead log beside a database.
pub(crate) fn log_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Looks for damage after an unclean end. A large database is not looked through here, as the next command after a crash has to
/// start at once; its chains are still checked wherever a stream is loaded.
fn quick_check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let size = fs::metadata(path).map_or(0, |file| file.len());
    if size > CHECKED_AT_OPEN {
        tracing::warn!(path = %path.display(), size, "not checked after an unclean end: too large");
        return Ok(());
    }
    let answer: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|source| sqlite_error(path, source))?;
    if answer == "ok" {
        Ok(())
    } else {
        Err(OpenError::Corrupt {
            path: path.to_owned(),
            reason: answer,
        })
    }
}
