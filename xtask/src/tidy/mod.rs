//! `cargo xtask tidy`: the rules of the repository that no compiler checks.
//!
//! Each finding is one line, `path:line: what is wrong: what to do`.

pub(crate) mod files;
pub(crate) mod graph;
mod layers;
mod manifests;
mod rust_rules;
mod scripts;
mod source;
mod text_rules;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, bail};

use self::graph::Metadata;
use crate::run::Root;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// Relative to the root of the repository.
    path: PathBuf,
    /// Counted from one.
    line: usize,
    /// What is wrong, and what to do.
    text: String,
}

impl Finding {
    fn new(path: impl Into<PathBuf>, line: usize, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.text)
    }
}

/// Checks everything and prints all findings.
pub(crate) fn run(root: &Root) -> Result<()> {
    let metadata = Metadata::load(root)?;
    let files = files::list(root)?;

    let mut findings = layers::check(root, &metadata)?;
    findings.extend(manifests::check(root, &metadata)?);
    findings.extend(text_rules::check(root, &files)?);
    findings.extend(rust_rules::check(root, &metadata, &files)?);
    findings.extend(scripts::check(root, &files)?);
    findings.sort();
    findings.dedup();

    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings", findings.len());
    }
    println!("tidy: {} files, no findings", files.len());
    Ok(())
}
