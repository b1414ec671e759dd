//! Rules for every text file: line ends, and no path of the machine it was written on.

use anyhow::Result;

use super::Finding;
use super::files::SourceFile;
use crate::run::Root;

/// The directory the machines that build this repository check it out in. In two parts, so that this line is not a finding.
const BUILD_DIRECTORY: &str = concat!("/wo", "rk/");

/// Checks all text files.
pub(super) fn check(root: &Root, files: &[SourceFile]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files {
        let Some(text) = file.text(root)? else {
            continue;
        };
        findings.extend(build_paths(file, &text));
        if !file.is_test_data() {
            findings.extend(line_ends(file, &text));
        }
    }
    Ok(findings)
}

fn line_ends(file: &SourceFile, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::new(
                &file.path,
                index + 1,
                "white space at the end of the line: remove it",
            ));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(Finding::new(
            &file.path,
            text.lines().count(),
            "the last line has no end: add a newline",
        ));
    }
    if text.ends_with("\n\n") {
        findings.push(Finding::new(
            &file.path,
            text.lines().count(),
            "empty lines at the end of the file: remove them",
        ));
    }
    findings
}

fn build_paths(file: &SourceFile, text: &str) -> Vec<Finding> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| names_build_directory(line))
        .map(|(index, _)| {
            Finding::new(
                &file.path,
                index + 1,
                format!(
                    "`{BUILD_DIRECTORY}` exists only where this was written: use a relative path"
                ),
            )
        })
        .collect()
}

/// Whether the line has the directory as an absolute path, and not as the middle of another one.
fn names_build_directory(line: &str) -> bool {
    line.match_indices(BUILD_DIRECTORY).any(|(offset, _)| {
        let before = line[..offset].chars().next_back();
        before.is_none_or(|letter| !(letter.is_alphanumeric() || "~._-/}$>*".contains(letter)))
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const NONE: [usize; 0] = [];

    fn file(path: &str) -> SourceFile {
        SourceFile {
            path: PathBuf::from(path),
        }
    }

    #[test]
    fn line_ends_are_found_with_their_line() {
        let lines = |text| -> Vec<usize> {
            line_ends(&file("a.md"), text)
                .into_iter()
                .map(|finding| finding.line)
                .collect()
        };
        assert_eq!(lines("a\nb \nc\t\nd\r\ne"), [2, 3, 4, 5]);
        assert_eq!(lines("a\n\n"), [2]);
        assert_eq!(lines("a\n"), NONE);
        assert_eq!(lines(""), NONE);
    }

    #[test]
    fn only_absolute_build_paths_are_found() {
        for bad in ["WORK", "see WORKmain", "\"WORKx\"", "(WORK)", "cwd=WORKa"] {
            assert!(
                names_build_directory(&bad.replace("WORK", BUILD_DIRECTORY)),
                "{bad}"
            );
        }
        for fine in [
            "~WORKapp",
            "runs/xWORKtree",
            "{dir}WORKtree",
            "$HOMEWORKx",
            "framework/",
        ] {
            assert!(
                !names_build_directory(&fine.replace("WORK", BUILD_DIRECTORY)),
                "{fine}"
            );
        }
    }

    #[test]
    fn bytes_of_test_data_are_left_alone() {
        assert!(file("crates/a/tests/it/snapshots/b.snap").is_test_data());
        assert!(file("crates/a/tests/golden/b.json").is_test_data());
        assert!(!file("crates/a/src/golden.rs").is_test_data());
    }
}
