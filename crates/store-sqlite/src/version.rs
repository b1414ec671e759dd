//! Which SQLite may be used.

use crate::error::OpenError;

/// The oldest SQLite that is safe here: before 3.51.3 a checkpoint that meets a write could corrupt a database in WAL mode.
pub const MIN_LIBRARY_VERSION: i32 = 3_051_003;

/// Refuses a library, by its `sqlite3_libversion_number`, that may lose data. Asked at run time, as the linked library need not be
/// the one that was compiled against.
pub fn check_library_version(number: i32) -> Result<(), OpenError> {
    if number >= MIN_LIBRARY_VERSION {
        Ok(())
    } else {
        Err(OpenError::LibraryVersion {
            found: dotted(number),
        })
    }
}

/// `3051003` as `3.51.3`.
pub(crate) fn dotted(number: i32) -> String {
    format!(
        "{}.{}.{}",
        number / 1_000_000,
        number / 1000 % 1000,
        number % 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_libraries_are_refused_by_name() {
        for number in [0, 3_008_005, 3_051_002] {
            let error = check_library_version(number).unwrap_err().to_string();
            assert!(error.contains(&dotted(number)), "{error}");
            assert!(error.contains("3.51.3"), "{error}");
        }
        assert!(check_library_version(3_051_003).is_ok());
        assert!(check_library_version(3_054_001).is_ok());
    }

    #[test]
    fn the_linked_library_is_new_enough() {
        check_library_version(rusqlite::version_number()).unwrap();
    }
}
