//! Files that come along into a workspace although git ignores them: what `.worktreeinclude` names, such as `.env`.
//!
//! They are the user's, so they are read from the user's checkout and never go back: their paths are excluded from every snapshot, and
//! their content keeps an agent's history out of the vault.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::checkout::{Checkout, CheckoutError};
use crate::directory_stack::DirectoryStack;
use crate::object_id::{BlobHasher, ObjectId};
use crate::os::{self, EntryKind};
use crate::path_bytes::PathBytes;

/// The file that names them, at the top of a checkout.
pub const FILE_NAME: &str = ".worktreeinclude";

/// How much comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncludeLimits {
    /// Files.
    pub files: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes together.
    pub bytes: u64,
}

impl Default for IncludeLimits {
    fn default() -> Self {
        Self {
            files: 1_000,
            file_bytes: 16 << 20,
            bytes: 64 << 20,
        }
    }
}

/// What came along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Included {
    /// The files.
    pub files: Vec<IncludedFile>,
    /// What was named and did not come, and why.
    pub skipped: Vec<SkippedFile>,
}

/// A file that came along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncludedFile {
    /// Where it is, in the checkout and in the workspace.
    pub path: PathBytes,
    /// Its content as a blob.
    pub blob: ObjectId,
    /// Its size in bytes.
    pub size: u64,
}

/// A file that did not come along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFile {
    /// Where it is in the checkout.
    pub path: PathBytes,
    /// Why not.
    pub reason: String,
}

/// Why nothing could be copied.
#[derive(Debug, thiserror::Error)]
pub enum IncludeError {
    /// The list is larger than a list of patterns is.
    #[error("read {FILE_NAME}: it has more than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: usize,
    },
    /// The file system refused.
    #[error("copy files named by {FILE_NAME} to {path}")]
    Io {
        /// Where.
        path: PathBytes,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The checkout could not be asked.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
}

impl Included {
    /// The paths, for [`crate::snapshot::Extent::excluded`].
    pub fn paths(&self) -> Vec<PathBytes> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// The contents, for [`crate::history::HistoryRequest::included`]. What is too short to be told from anything else is not among them.
    pub fn blobs(&self) -> Vec<ObjectId> {
        const TELLING: u64 = 8;
        let telling = self.files.iter().filter(|file| file.size >= TELLING);
        telling.map(|file| file.blob).collect()
    }
}

/// Copies the ignored files of the checkout that `patterns`, in the syntax of `.gitignore`, name into the workspace at `into`. Regular
/// files only, no link is followed, and nothing that is there already is replaced.
pub fn copy_included(
    checkout: &Checkout,
    patterns: &[u8],
    into: &Path,
    limits: IncludeLimits,
) -> Result<Included, IncludeError> {
    let failed = |path: &Path| {
        let path = PathBytes::from(path);
        move |source| IncludeError::Io { path, source }
    };
    let mut found = Included::default();
    let paths = named(checkout, patterns)?;
    if paths.is_empty() {
        return Ok(found);
    }
    let mut from =
        DirectoryStack::open(checkout.top_level()).map_err(failed(checkout.top_level()))?;
    let mut to = DirectoryStack::open(into).map_err(failed(into))?;
    let mut left = limits.bytes;
    for path in paths {
        let copied = if found.files.len() == limits.files {
            Err(io::Error::other("there are too many"))
        } else {
            copy(&mut from, &mut to, &path, limits.file_bytes.min(left))
        };
        match copied {
            Ok(bytes) => {
                left -= bytes.len() as u64;
                found.files.push(IncludedFile {
                    path: PathBytes::new(path),
                    blob: BlobHasher::blob(checkout.object_format(), &bytes),
                    size: bytes.len() as u64,
                });
            }
            Err(error) => found.skipped.push(SkippedFile {
                path: PathBytes::new(path),
                reason: error.to_string(),
            }),
        }
    }
    Ok(found)
}

/// Files that are untracked, ignored and named.
fn named(checkout: &Checkout, patterns: &[u8]) -> Result<Vec<Vec<u8>>, IncludeError> {
    const MAX_BYTES: usize = 64 * 1024;
    if patterns.len() > MAX_BYTES {
        return Err(IncludeError::TooLarge { limit: MAX_BYTES });
    }
    let lines: Vec<&[u8]> = patterns
        .split(|byte| *byte == b'\n')
        .map(pattern)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#") && !line.contains(&0))
        .collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = checkout
        .command("ls-files")
        .map_err(CheckoutError::from)?
        .args(["-z", "--others", "--ignored"]);
    for line in lines {
        command = command.arg("-x").arg(OsStr::from_bytes(line));
    }
    let listed = command.run().map_err(CheckoutError::from)?;
    if listed.is_empty() {
        return Ok(Vec::new());
    }
    let output = checkout
        .command("check-ignore")
        .and_then(|command| command.args(["-z", "--stdin"]).output(&listed))
        .map_err(CheckoutError::from)?;
    // 1 says that none of them is ignored.
    if output.status.code() == Some(1) {
        return Ok(Vec::new());
    }
    let ignored = output
        .success("check-ignore")
        .map_err(CheckoutError::from)?;
    Ok(ignored
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty() && !path.ends_with(b"/"))
        .map(<[u8]>::to_vec)
        .collect())
}

/// A line without what a line of `.gitignore` may end with.
fn pattern(line: &[u8]) -> &[u8] {
    let mut line = line.strip_suffix(b"\r").unwrap_or(line);
    while let Some(rest) = line.strip_suffix(b" ") {
        if rest.ends_with(b"\\") {
            break;
        }
        line = rest;
    }
    line
}

fn copy(
    from: &mut DirectoryStack,
    to: &mut DirectoryStack,
    path: &[u8],
    limit: u64,
) -> io::Result<Vec<u8>> {
    let mut parents: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let name = parents.pop().unwrap_or_default();
    from.go_to(&parents, false)?;
    let current = from.current()?;
    if os::metadata_at(current, name)?.kind != EntryKind::File {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = os::open_file(current, name)?;
    let opened = os::metadata_of(&file)?;
    if opened.kind != EntryKind::File {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    (&file).take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other("it is too large"));
    }
    to.go_to(&parents, true)?;
    let mut copy = os::create_file(to.current()?, name, opened.mode & 0o100 != 0)?;
    // Before there is anything in it to read: such files are often nobody else's business.
    copy.set_permissions(Permissions::from_mode(opened.mode & 0o777 | 0o600))?;
    copy.write_all(&bytes)?;
    Ok(bytes)
}
