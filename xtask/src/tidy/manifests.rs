//! Rules for manifests and the lock file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;
use super::graph::Metadata;
use crate::run::Root;

const LOCK: &str = "Cargo.lock";

/// Packages that must not be in the lock file, not even for tests: names and what to do.
/// `deny.toml` judges what is built; this also sees what is only locked.
const NOT_LOCKED: [(&[&str], &str); 1] = [(
    &["openssl", "openssl-sys", "native-tls"],
    "one TLS provider, rustls: choose the dependency's rustls feature",
)];

/// Checks the members' manifests and the lock file.
pub(super) fn check(root: &Root, metadata: &Metadata) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for member in metadata.members() {
        let path = member.manifest(root);
        let text = read(root, &path)?;
        if !inherits_lints(&text)? {
            findings.push(Finding::new(
                &path,
                1,
                "the workspace's lints do not apply here: add `[lints]` with `workspace = true`",
            ));
        }
        let directory = member.directory(root);
        if let Some(text) = misplaced(&member.name, &directory) {
            findings.push(Finding::new(&path, 1, text));
        }
    }
    findings.extend(locked(&read(root, Path::new(LOCK))?));
    Ok(findings)
}

fn read(root: &Root, path: &Path) -> Result<String> {
    fs::read_to_string(root.path().join(path))
        .with_context(|| format!("cannot read {}", path.display()))
}

fn inherits_lints(manifest: &str) -> Result<bool> {
    let manifest: toml::Table = manifest.parse().context("cannot read a manifest")?;
    Ok(manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"))
        .and_then(toml::Value::as_bool)
        .unwrap_or(false))
}

/// The table of layers goes by directory names, so they must match.
fn misplaced(name: &str, directory: &Path) -> Option<String> {
    let expected = match name {
        "xtask" => Path::new("xtask").to_path_buf(),
        "dogwatch" => Path::new("crates").join("dogwatch"),
        _ => match name.strip_prefix("dogwatch-") {
            Some(short) => Path::new("crates").join(short),
            None => {
                return Some(format!(
                    "the package `{name}` is not named after its directory: call it `dogwatch-DIRECTORY`"
                ));
            }
        },
    };
    (expected != directory).then(|| {
        format!(
            "the package `{name}` stands in {}: move it to {} or rename it",
            directory.display(),
            expected.display()
        )
    })
}

fn locked(lock: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in lock.lines().enumerate() {
        let Some(name) = line
            .strip_prefix("name = \"")
            .and_then(|rest| rest.strip_suffix('"'))
        else {
            continue;
        };
        for (names, instead) in NOT_LOCKED {
            if names.contains(&name) {
                findings.push(Finding::new(
                    LOCK,
                    index + 1,
                    format!("`{name}` is locked: {instead}"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lints_are_inherited_or_not() {
        assert!(inherits_lints("[lints]\nworkspace = true\n").unwrap());
        assert!(!inherits_lints("[lints]\nworkspace = false\n").unwrap());
        assert!(!inherits_lints("[package]\nname = \"a\"\n").unwrap());
    }

    #[test]
    fn a_locked_package_is_found_at_its_line() {
        let lock = "[[package]]\nname = \"hyper-free\"\n\n[[package]]\nname = \"openssl-sys\"\n";
        let findings = locked(lock);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].line, 5);
    }

    #[test]
    fn packages_stand_where_their_names_say() {
        assert_eq!(
            misplaced("dogwatch-store-sqlite", Path::new("crates/store-sqlite")),
            None
        );
        assert_eq!(misplaced("dogwatch", Path::new("crates/dogwatch")), None);
        assert!(misplaced("dogwatch-store", Path::new("crates/storage")).is_some());
        assert!(misplaced("store", Path::new("crates/store")).is_some());
    }
}
