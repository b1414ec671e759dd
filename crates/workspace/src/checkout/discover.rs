//! From a directory to the repository it belongs to.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::CheckoutError;
use crate::git::{GitCommand, GitError};
use crate::object_id::{ObjectFormat, ObjectId};
use crate::path_bytes::PathBytes;

/// A repository of the user with checked-out files.
#[derive(Clone, Debug)]
pub struct Checkout {
    pub(super) top_level: PathBuf,
    pub(super) git_dir: PathBuf,
    pub(super) common_dir: PathBuf,
    pub(super) object_format: ObjectFormat,
    pub(super) shallow: bool,
    pub(super) head: Option<ObjectId>,
}

impl Checkout {
    /// Finds the repository `directory` stands in.
    pub fn discover(directory: &Path) -> Result<Self, CheckoutError> {
        let path = || PathBytes::from(directory);
        if !directory.is_dir() {
            return Err(CheckoutError::NoDirectory { path: path() });
        }
        let flags = GitCommand::in_user_repository(directory, "rev-parse")?
            .args([
                "--is-bare-repository",
                "--is-inside-work-tree",
                "--is-shallow-repository",
                "--show-object-format",
            ])
            // Last, because a path may contain line breaks.
            .arg("--absolute-git-dir")
            .run()
            .map_err(|error| refusal(directory, error))?;
        let flags = Flags::parse(&flags)?;
        if flags.bare {
            return Err(CheckoutError::Bare { path: path() });
        }
        if !flags.inside_work_tree {
            return Err(CheckoutError::InsideGitDirectory { path: path() });
        }
        let top_level = GitCommand::in_user_repository(directory, "rev-parse")?
            .arg("--show-toplevel")
            .run()?;
        let common_dir = common_dir(&flags.git_dir).map_err(|source| GitError::Pipe {
            command: "rev-parse".to_owned(),
            source,
        })?;
        let checkout = Self {
            top_level: path_from_line(top_level),
            common_dir,
            git_dir: flags.git_dir,
            object_format: flags.object_format,
            shallow: flags.shallow,
            head: None,
        };
        let head = checkout.commit_named("HEAD")?;
        if head.is_none() && !checkout.has_any_ref()? {
            return Err(CheckoutError::Empty { path: path() });
        }
        Ok(Self { head, ..checkout })
    }

    /// The directory with the checked-out files.
    pub fn top_level(&self) -> &Path {
        &self.top_level
    }

    /// The git directory of this checkout; a linked worktree has its own.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The git directory that all worktrees share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Which ids the repository uses.
    pub const fn object_format(&self) -> ObjectFormat {
        self.object_format
    }

    /// Whether the history is cut off somewhere.
    pub const fn is_shallow(&self) -> bool {
        self.shallow
    }

    /// The commit that was checked out when the repository was found; none on a branch without commits.
    pub const fn head(&self) -> Option<ObjectId> {
        self.head
    }

    pub(crate) fn command(&self, name: &'static str) -> Result<GitCommand, GitError> {
        GitCommand::in_user_repository(&self.top_level, name)
    }
}

struct Flags {
    bare: bool,
    inside_work_tree: bool,
    shallow: bool,
    object_format: ObjectFormat,
    git_dir: PathBuf,
}

impl Flags {
    fn parse(output: &[u8]) -> Result<Self, GitError> {
        let unexpected =
            || GitError::unexpected("rev-parse", format!("`{}`", PathBytes::new(output)));
        let mut lines = output.splitn(5, |byte| *byte == b'\n');
        let mut flag = || match lines.next() {
            Some(b"true") => Ok(true),
            Some(b"false") => Ok(false),
            Some(_) | None => Err(unexpected()),
        };
        let (bare, inside_work_tree, shallow) = (flag()?, flag()?, flag()?);
        let object_format = match lines.next() {
            Some(b"sha1") => ObjectFormat::Sha1,
            Some(b"sha256") => ObjectFormat::Sha256,
            Some(_) | None => return Err(unexpected()),
        };
        let git_dir = path_from_line(lines.next().ok_or_else(unexpected)?.to_vec());
        Ok(Self {
            bare,
            inside_work_tree,
            shallow,
            object_format,
            git_dir,
        })
    }
}

/// A path that is the whole rest of an answer: only the final line break is not part of it.
fn path_from_line(mut line: Vec<u8>) -> PathBuf {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    PathBuf::from(OsString::from_vec(line))
}

/// What `git rev-parse --git-common-dir` does: a linked worktree names the shared directory in a file.
fn common_dir(git_dir: &Path) -> io::Result<PathBuf> {
    match fs::read(git_dir.join("commondir")) {
        Ok(line) => fs::canonicalize(git_dir.join(path_from_line(line))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(git_dir.to_owned()),
        Err(error) => Err(error),
    }
}

/// Sorts the ways in which git refuses a directory. Its messages are stable under `LC_ALL=C`.
fn refusal(directory: &Path, error: GitError) -> CheckoutError {
    let path = PathBytes::from(directory);
    let said = error.stderr();
    if said.contains("dubious ownership") {
        CheckoutError::DubiousOwnership {
            path,
            source: error,
        }
    } else if said.contains("safe.bareRepository") {
        CheckoutError::Bare { path }
    } else if said.contains("not a git repository") {
        CheckoutError::NotARepository { path }
    } else {
        CheckoutError::Git(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_check_of_git_is_recognised() {
        let directory = tempfile::tempdir().unwrap();
        GitCommand::init(directory.path(), ObjectFormat::Sha1, "main", false)
            .unwrap()
            .run()
            .unwrap();
        // The switch git's own tests use, as a test cannot give a directory to another user.
        let error = GitCommand::in_user_repository(directory.path(), "rev-parse")
            .unwrap()
            .env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
            .arg("--absolute-git-dir")
            .run()
            .unwrap_err();
        let refused = refusal(directory.path(), error);
        assert_eq!(refused.code(), "dubious_ownership", "{refused}");
    }
}
