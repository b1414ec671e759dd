//! What differs between two trees of the vault.
//!
//! Plumbing with every option spelled out, so that neither configuration nor a newer git changes a byte of a recorded patch.

use std::io::{self, Read as _, Write};
use std::process::Stdio;

use serde::{Deserialize, Serialize};

use crate::git::{GitCommand, GitError};
use crate::object_id::ObjectId;
use crate::path_bytes::PathBytes;
use crate::vault::Vault;

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// Its content or permission changed.
    Modified,
    /// It is another kind of thing now, such as a link in place of a file.
    TypeChanged,
}

/// One path that differs. A rename is a deletion and an addition, so that rules about paths see both names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happened.
    pub status: Status,
    /// Where.
    pub path: PathBytes,
    /// Six octal digits, zeros if it is new.
    pub old_mode: String,
    /// Six octal digits, zeros if it is gone.
    pub new_mode: String,
}

/// The size of a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// Paths that differ.
    pub files: u64,
    /// Lines added in text files.
    pub insertions: u64,
    /// Lines removed in text files.
    pub deletions: u64,
    /// Files without lines.
    pub binary: u64,
}

/// A difference that could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The receiver refused it.
    #[error("write the patch")]
    Sink(#[source] io::Error),
    /// It is larger than allowed.
    #[error("write the patch: it has more than {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: u64,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// The patch that makes `to` of `from`, both commits or trees: complete for binary files, with full object ids.
pub fn patch(vault: &Vault, from: ObjectId, to: ObjectId) -> Result<Vec<u8>, GitError> {
    patch_command(vault, from, to)?.run()
}

/// As [`patch`], without ever holding it in memory. Returns how many bytes were written.
pub fn write_patch(
    vault: &Vault,
    from: ObjectId,
    to: ObjectId,
    sink: &mut dyn Write,
    limit: u64,
) -> Result<u64, PatchError> {
    let mut process = patch_command(vault, from, to)?.start(Stdio::null())?;
    let mut output = process.take_stdout()?;
    let mut buffer = vec![0; 64 * 1024];
    let mut written = 0;
    loop {
        match output.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                written += read as u64;
                if written > limit {
                    return Err(PatchError::TooLarge { limit });
                }
                sink.write_all(&buffer[..read]).map_err(PatchError::Sink)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(process.pipe_error(error).into()),
        }
    }
    drop(output);
    process.finish()?;
    Ok(written)
}

/// The paths that differ, in git's order.
pub fn changes(vault: &Vault, from: ObjectId, to: ObjectId) -> Result<Vec<Change>, GitError> {
    let output = raw(vault, from, to)?;
    let mut fields = output.split(|byte| *byte == 0);
    let mut changes = Vec::new();
    while let Some(header) = fields.next().filter(|header| !header.is_empty()) {
        let change = fields.next().and_then(|path| parse_raw(header, path));
        changes.push(change.ok_or_else(|| {
            GitError::unexpected("diff-tree", format!("`{}`", PathBytes::new(header)))
        })?);
    }
    Ok(changes)
}

/// What [`changes`] is read from: `:<mode> <mode> <id> <id> <status>` and the path, each with a NUL at its end.
pub(crate) fn raw(vault: &Vault, from: ObjectId, to: ObjectId) -> Result<Vec<u8>, GitError> {
    command(vault, from, to, &["--raw", "-z", "--full-index"])?.run()
}

/// How much differs.
pub fn stat(vault: &Vault, from: ObjectId, to: ObjectId) -> Result<Stat, GitError> {
    let output = command(vault, from, to, &["--numstat", "-z"])?.run()?;
    let mut stat = Stat::default();
    for record in output
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty())
    {
        let mut fields = record.splitn(3, |byte| *byte == b'\t');
        stat.files += 1;
        match (fields.next(), fields.next()) {
            (Some(b"-"), Some(b"-")) => stat.binary += 1,
            (Some(added), Some(removed)) => {
                stat.insertions += number(added)?;
                stat.deletions += number(removed)?;
            }
            _ => {
                return Err(GitError::unexpected(
                    "diff-tree",
                    format!("`{}`", PathBytes::new(record)),
                ));
            }
        }
    }
    Ok(stat)
}

fn number(text: &[u8]) -> Result<u64, GitError> {
    let parsed = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| GitError::unexpected("diff-tree", format!("`{}`", PathBytes::new(text))))
}

fn patch_command(vault: &Vault, from: ObjectId, to: ObjectId) -> Result<GitCommand, GitError> {
    let options = [
        "--patch",
        "--binary",
        "--full-index",
        "--unified=3",
        "--inter-hunk-context=0",
        "--diff-algorithm=myers",
        "--indent-heuristic",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        "--submodule=short",
    ];
    command(vault, from, to, &options)
}

fn command(
    vault: &Vault,
    from: ObjectId,
    to: ObjectId,
    options: &[&str],
) -> Result<GitCommand, GitError> {
    Ok(vault
        .command("diff-tree")?
        .args([
            "-r",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--no-renames",
            "--ignore-submodules=none",
        ])
        .args(options)
        .args([from.to_string(), to.to_string()]))
}

/// Reads `:100644 100755 <id> <id> M`.
fn parse_raw(header: &[u8], path: &[u8]) -> Option<Change> {
    let header = std::str::from_utf8(header.strip_prefix(b":")?).ok()?;
    let mut fields = header.split(' ');
    let (old_mode, new_mode) = (fields.next()?, fields.next()?);
    let status = match fields.nth(2)? {
        "A" => Status::Added,
        "D" => Status::Deleted,
        "M" => Status::Modified,
        "T" => Status::TypeChanged,
        _ => return None,
    };
    Some(Change {
        status,
        path: path.into(),
        old_mode: old_mode.to_owned(),
        new_mode: new_mode.to_owned(),
    })
}
