//! Finding git and checking that it is new enough.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::GitError;

/// The oldest git dogwatch works with.
pub const MINIMUM_VERSION: Version = Version {
    major: 2,
    minor: 39,
};

/// A version of git, as far as dogwatch cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Finds git on the search path and checks its version. The answer is kept for the life of the process.
pub fn check() -> Result<Version, GitError> {
    located().map(|(_, version)| *version)
}

pub(super) fn program() -> Result<&'static Path, GitError> {
    located().map(|(path, _)| path.as_path())
}

fn located() -> Result<&'static (PathBuf, Version), GitError> {
    static FOUND: OnceLock<(PathBuf, Version)> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found);
    }
    let path = search(std::env::var_os("PATH").as_deref())?;
    let version = checked_version(&path)?;
    Ok(FOUND.get_or_init(|| (path, version)))
}

/// Only absolute entries count, so that a `.` in the search path cannot make a repository's own file the git we run.
fn search(path: Option<&std::ffi::OsStr>) -> Result<PathBuf, GitError> {
    path.into_iter()
        .flat_map(std::env::split_paths)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("git"))
        .find(|candidate| is_executable(candidate))
        .ok_or(GitError::Missing)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn checked_version(program: &Path) -> Result<Version, GitError> {
    let output = Command::new(program)
        .arg("version")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| GitError::Spawn {
            program: program.to_owned(),
            source,
        })?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse(&text) {
        Some(version) if version >= MINIMUM_VERSION => Ok(version),
        Some(_) | None => Err(GitError::TooOld {
            program: program.to_owned(),
            found: text,
        }),
    }
}

/// Reads `git version 2.39.5`, also with what vendors append.
fn parse(text: &str) -> Option<Version> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers
        .next()?
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()?;
    Some(Version { major, minor })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn versions_are_read_with_vendor_suffixes() {
        assert_eq!(
            parse("git version 2.39.5"),
            Some(Version {
                major: 2,
                minor: 39
            })
        );
        assert_eq!(
            parse("git version 2.39.5 (Apple Git-154)"),
            Some(Version {
                major: 2,
                minor: 39
            })
        );
        assert_eq!(
            parse("git version 2.50-rc1"),
            Some(Version {
                major: 2,
                minor: 50
            })
        );
        assert_eq!(parse("git"), None);
    }

    fn fake(directory: &Path, answer: &str) -> PathBuf {
        let path = directory.join("git");
        std::fs::write(&path, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn an_old_git_is_refused_with_the_version_it_reported() {
        let directory = tempfile::tempdir().unwrap();
        let path = fake(directory.path(), "git version 2.38.1");
        let message = checked_version(&path).unwrap_err().to_string();
        assert!(
            message.contains("2.38.1") && message.contains("2.39"),
            "{message}"
        );
    }

    #[test]
    fn relative_entries_of_the_search_path_are_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        fake(directory.path(), "git version 2.47.0");
        let both = std::env::join_paths([Path::new("."), directory.path()]).unwrap();
        assert_eq!(search(Some(&both)).unwrap(), directory.path().join("git"));
        assert!(matches!(
            search(Some("relative:.".as_ref())),
            Err(GitError::Missing)
        ));
        assert!(matches!(search(None), Err(GitError::Missing)));
    }
}
