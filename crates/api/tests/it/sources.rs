//! The shipped sources of every crate, without their tests.

use std::fs;
use std::path::{Path, PathBuf};

/// One file.
pub(crate) struct Source {
    /// Its path under `crates/`.
    pub(crate) path: String,
    /// Its text without comments and without its unit tests, line for line.
    pub(crate) text: String,
}

impl Source {
    /// The line of a place in the text.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }
}

/// Every shipped source. What only tests use, and the scripted agent, print no codes of dogwatch.
pub(crate) fn shipped() -> Vec<Source> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = Vec::new();
    for entry in fs::read_dir(&crates).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "testkit" && name != "scripted" {
            visit(&crates, &crates.join(&name).join("src"), &mut sources);
        }
    }
    sources
}

fn visit(crates: &Path, directory: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !matches!(name, "contract_suite" | "tests") {
                visit(crates, &path, sources);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).unwrap();
            sources.push(Source {
                path: path.strip_prefix(crates).unwrap().display().to_string(),
                text: without_tests(&text),
            });
        }
    }
}

fn without_tests(text: &str) -> String {
    let shipped = text
        .split_once("#[cfg(test)]\nmod ")
        .map_or(text, |(shipped, _)| shipped);
    shipped
        .lines()
        .map(|line| {
            if line.trim_start().starts_with("//") {
                ""
            } else {
                line
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}
