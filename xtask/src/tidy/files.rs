//! The files of the repository: what git tracks or would track.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::{self, Root};

/// One regular file.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// Relative to the root of the repository.
    pub(crate) path: PathBuf,
}

impl SourceFile {
    /// The bytes of the file.
    pub(crate) fn bytes(&self, root: &Root) -> Result<Vec<u8>> {
        fs::read(root.path().join(&self.path))
            .with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// The text of the file, or nothing if it is not text.
    pub(crate) fn text(&self, root: &Root) -> Result<Option<String>> {
        let bytes = self.bytes(root)?;
        if bytes.contains(&0) {
            return Ok(None);
        }
        Ok(String::from_utf8(bytes).ok())
    }

    /// Whether the file is Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.extension() == Some(OsStr::new("rs"))
    }

    /// Whether its bytes are what a test compares with or reads, so that no rule of style applies to them.
    pub(crate) fn is_test_data(&self) -> bool {
        self.path.extension() == Some(OsStr::new("snap"))
            || self
                .path
                .components()
                .any(|part| part.as_os_str() == "fixtures" || part.as_os_str() == "golden")
    }
}

/// Tracked files and untracked ones that are not ignored; no links, no files deleted but not yet committed.
pub(crate) fn list(root: &Root) -> Result<Vec<SourceFile>> {
    let output = run::read(root.command("git").args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))
    .context("cannot list the files of the repository")?;
    let mut paths: Vec<PathBuf> = output
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| PathBuf::from(OsStr::from_bytes(name)))
        .filter(|path| is_regular(&root.path().join(path)))
        .collect();
    paths.sort();
    paths.dedup();
    Ok(paths.into_iter().map(|path| SourceFile { path }).collect())
}

fn is_regular(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}
