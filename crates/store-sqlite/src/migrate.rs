//! The schema and its history.

use std::path::Path;

use rusqlite::Connection;

use crate::error::OpenError;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The newest schema this binary knows; each migration sets `user_version` to its own number.
pub(crate) const SCHEMA_VERSION: i32 = 1;

/// "dogw": what marks a file as ours.
pub(crate) const APPLICATION_ID: i32 = 0x646f_6777;

/// What a file turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Without a schema: new, or its first opening was cut short.
    Empty,
    /// Ours, with this schema.
    Schema(i32),
}

/// Judges a file before anything in it is used.
pub(crate) fn inspect(connection: &Connection, path: &Path) -> Result<Found, OpenError> {
    let sqlite = |source| crate::open::sqlite_error(path, source);
    let application_id: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(sqlite)?;
    let version: i32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(sqlite)?;
    match (application_id, version) {
        (APPLICATION_ID, 1..=SCHEMA_VERSION) => Ok(Found::Schema(version)),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => Err(OpenError::SchemaVersion {
            path: path.to_owned(),
            found,
            known: SCHEMA_VERSION,
        }),
        (0, 0) if tables(connection).map_err(sqlite)? == 0 => Ok(Found::Empty),
        (APPLICATION_ID, found) => Err(OpenError::Corrupt {
            path: path.to_owned(),
            reason: format!("schema version {found} does not exist"),
        }),
        (application_id, _) => Err(OpenError::Foreign {
            path: path.to_owned(),
            application_id,
        }),
    }
}

/// Brings the schema up to date, in one transaction.
pub(crate) fn run(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    embedded::migrations::runner()
        .set_grouped(true)
        .run(connection)
        .map_err(|source| OpenError::Migration {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
    match inspect(connection, path)? {
        Found::Schema(SCHEMA_VERSION) => Ok(()),
        found => Err(OpenError::Corrupt {
            path: path.to_owned(),
            reason: format!("its migrations left it at {found:?}"),
        }),
    }
}

/// How many tables there are besides the history of migrations, which is created before the first of them.
fn tables(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'refinery%' AND name NOT LIKE 'sqlite%'",
        [],
        |row| row.get(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, Path::new("x")).unwrap();
        connection
    }

    #[test]
    fn the_status_check_names_every_status() {
        let connection = fresh();
        let sql: String = connection
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE name = 'jobs'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        for status in dogwatch_core::job::JobStatus::ALL {
            assert!(sql.contains(&format!("'{status}'")), "{status}");
        }
        let trigger: String = connection
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE name = 'terminal_is_final'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        for status in dogwatch_core::job::JobStatus::ALL {
            assert_eq!(
                trigger.contains(&format!("'{status}'")),
                status.is_terminal(),
                "{status}"
            );
        }
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = fresh();
        run(&mut connection, Path::new("x")).unwrap();
        assert_eq!(
            inspect(&connection, Path::new("x")).unwrap(),
            Found::Schema(SCHEMA_VERSION)
        );
    }

    #[test]
    fn every_table_is_strict() {
        let connection = fresh();
        let loose: Vec<String> = connection
            .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'refinery%'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(loose.is_empty(), "{loose:?}");
    }
}
