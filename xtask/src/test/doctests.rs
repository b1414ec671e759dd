//! Which packages have documentation tests: building and running them for a package without any would only print zeros.

use std::fs;

use anyhow::{Context, Result};

use crate::run::Root;
use crate::tidy::{files, graph::Metadata};

/// The names of the library packages with at least one documentation test.
pub(crate) fn packages(root: &Root) -> Result<Vec<String>> {
    let metadata = Metadata::load(root)?;
    let files = files::list(root)?;
    let mut names = Vec::new();
    for member in metadata.members() {
        if !member.has_library() {
            continue;
        }
        let source = member.directory(root).join("src");
        for file in files.iter().filter(|file| file.path.starts_with(&source)) {
            if file
                .path
                .extension()
                .is_none_or(|extension| extension != "rs")
            {
                continue;
            }
            let text = fs::read_to_string(root.path().join(&file.path))
                .with_context(|| format!("cannot read {}", file.path.display()))?;
            if has_doctest(&text) {
                names.push(member.name.clone());
                break;
            }
        }
    }
    Ok(names)
}

/// Whether a doc comment has a code block that rustdoc would compile.
fn has_doctest(source: &str) -> bool {
    let mut inside = false;
    for line in source.lines() {
        let line = line.trim_start();
        let Some(text) = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"))
        else {
            inside = false;
            continue;
        };
        let Some(info) = text.trim().strip_prefix("```") else {
            continue;
        };
        if inside {
            inside = false;
        } else if is_rust(info) {
            return true;
        } else {
            inside = true;
        }
    }
    false
}

fn is_rust(info: &str) -> bool {
    info.split([',', ' '])
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .all(|word| {
            matches!(word, "rust" | "no_run" | "should_panic" | "compile_fail")
                || word.starts_with("edition")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_rust_blocks_are_tests() {
        assert!(has_doctest(
            "/// Text.\n///\n/// ```\n/// f();\n/// ```\nfn f() {}\n"
        ));
        assert!(has_doctest("//! ```rust,no_run\n//! f();\n//! ```\n"));
    }

    #[test]
    fn other_languages_and_their_closing_fences_are_not() {
        assert!(!has_doctest("/// ```text\n/// a\n/// ```\nfn f() {}\n"));
        assert!(!has_doctest("/// ```ignore\n/// a\n/// ```\n"));
        assert!(!has_doctest("// ```\n// f();\n// ```\n"));
    }
}
