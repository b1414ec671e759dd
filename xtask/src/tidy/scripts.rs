//! Scripts must be executable, in the work tree and as committed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Finding;
use super::files::SourceFile;
use crate::run::{self, Root};

/// Checks every file that names its interpreter.
pub(super) fn check(root: &Root, files: &[SourceFile]) -> Result<Vec<Finding>> {
    let committed = modes(&run::read(
        root.command("git").args(["ls-files", "-z", "--stage"]),
    )?);
    let mut findings = Vec::new();
    for file in files {
        if file.is_test_data() || !is_script(&file.bytes(root)?) {
            continue;
        }
        let metadata = fs::metadata(root.path().join(&file.path))
            .with_context(|| format!("cannot look at {}", file.path.display()))?;
        let path = file.path.display();
        if metadata.permissions().mode() & 0o111 == 0 {
            findings.push(Finding::new(
                &file.path,
                1,
                format!("a script that is not executable: run `chmod +x {path}`"),
            ));
        } else if committed
            .get(&file.path)
            .is_some_and(|mode| mode == "100644")
        {
            findings.push(Finding::new(
                &file.path,
                1,
                format!(
                    "a script committed as not executable: run `git update-index --chmod=+x {path}`"
                ),
            ));
        }
    }
    Ok(findings)
}

/// Whether the first line names an interpreter; `#![...]` is Rust.
fn is_script(bytes: &[u8]) -> bool {
    bytes.starts_with(b"#!/") || bytes.starts_with(b"#! /")
}

/// The modes in git's index, by path.
fn modes(listing: &[u8]) -> BTreeMap<PathBuf, String> {
    listing
        .split(|byte| *byte == 0)
        .filter_map(|entry| {
            let tab = entry.iter().position(|byte| *byte == b'\t')?;
            let mode = entry.get(..6)?;
            let path = PathBuf::from(OsStr::from_bytes(&entry[tab + 1..]));
            Some((path, String::from_utf8_lossy(mode).into_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_name_their_interpreter() {
        assert!(is_script(b"#!/bin/sh\n"));
        assert!(!is_script(b"#![warn(missing_docs)]\n"));
        assert!(!is_script(b"# a comment\n"));
    }

    #[test]
    fn modes_are_read_by_path() {
        let listing = b"100755 0123 0\ta b\x00100644 4567 0\tc\x00";
        let modes = modes(listing);
        assert_eq!(modes[&PathBuf::from("a b")], "100755");
        assert_eq!(modes[&PathBuf::from("c")], "100644");
    }
}
