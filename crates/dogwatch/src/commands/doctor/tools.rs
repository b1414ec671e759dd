//! What dogwatch itself needs: git, SQLite.

use dogwatch_store_sqlite::{OpenError, SqliteReader};
use dogwatch_workspace::git;

use super::check::{Check, chain};
use crate::context::Context;

pub(super) fn checks(context: &Context) -> Vec<Check> {
    let mut checks = vec![git_check()];
    checks.extend(store(context));
    checks
}

fn git_check() -> Check {
    match git::check() {
        Ok(version) => Check::ok(
            "git",
            format!("{version} ({} or newer is needed)", git::MINIMUM_VERSION),
        ),
        Err(error) => Check::fail("git", chain(&error), "nothing can be run without it"),
    }
}

/// Opening the database tells about the library first and then about the file.
fn store(context: &Context) -> Vec<Check> {
    let library = Check::ok("sqlite", "the built-in library is one that is safe to use");
    let database = context.layout.database();
    match SqliteReader::open(&database) {
        Ok(_) => vec![
            library,
            Check::ok("store", format!("{} opens", database.display())),
        ],
        Err(OpenError::NotFound { .. }) => vec![
            library,
            Check::ok("store", "none yet: the first run makes it"),
        ],
        Err(error @ OpenError::LibraryVersion { .. }) => vec![Check::fail(
            "sqlite",
            chain(&error),
            "use a dogwatch with its own SQLite",
        )],
        Err(error @ OpenError::NeedsMigration { .. }) => vec![
            library,
            Check::warn("store", chain(&error), "start a run to bring it up to date"),
        ],
        Err(error) => vec![
            library,
            Check::fail(
                "store",
                chain(&error),
                "keep a copy of the data directory before anything else",
            ),
        ],
    }
}
