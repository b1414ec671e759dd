//! The skip report: tests that cannot run on this machine say so, and the summary repeats it.
//!
//! A test that misses something appends one line, `DOGWATCH-SKIP <test>: <reason>`, to the file named by `DOGWATCH_SKIP_REPORT` and
//! returns. To the runner it has passed, which is why the report is printed after the runner's own summary.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

const VARIABLE: &str = "DOGWATCH_SKIP_REPORT";
const MARK: &str = "DOGWATCH-SKIP ";

/// The file the tests of one run write to.
#[derive(Debug)]
pub(crate) struct SkipReport {
    file: NamedTempFile,
}

impl SkipReport {
    /// An empty report.
    pub(crate) fn create() -> Result<Self> {
        let file = tempfile::Builder::new()
            .prefix("dogwatch-skips-")
            .tempfile()
            .context("cannot make the skip report")?;
        Ok(Self { file })
    }

    /// Tells the tests of the command where to write.
    pub(crate) fn announce(&self, command: &mut Command) {
        command.env(VARIABLE, self.file.path());
    }

    /// Prints how many tests skipped themselves, and why.
    pub(crate) fn print(&self) -> Result<()> {
        let bytes = fs::read(self.file.path()).context("cannot read the skip report")?;
        let text = String::from_utf8_lossy(&bytes);
        let skips = parse(&text);
        println!("skipped: {}", skips.len());
        for skip in skips {
            println!("  {skip}");
        }
        Ok(())
    }
}

/// The distinct skips, in order. A line without the mark is kept too: a report that cannot be read is not an empty one.
fn parse(text: &str) -> BTreeSet<&str> {
    text.lines()
        .map(|line| line.strip_prefix(MARK).unwrap_or(line).trim())
        .filter(|line| !line.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_skips_count_once_and_broken_lines_are_kept() {
        let text = "DOGWATCH-SKIP b: no bwrap\nDOGWATCH-SKIP a: not root\n\nDOGWATCH-SKIP b: no bwrap\ntorn li";
        let skips: Vec<&str> = parse(text).into_iter().collect();
        assert_eq!(skips, ["a: not root", "b: no bwrap", "torn li"]);
    }

    #[test]
    fn what_a_test_appends_is_read_back() {
        let report = SkipReport::create().unwrap();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'DOGWATCH-SKIP x::y: no bwrap' >> \"$DOGWATCH_SKIP_REPORT\"",
        ]);
        report.announce(&mut command);
        assert!(command.status().unwrap().success());
        let text = fs::read_to_string(report.file.path()).unwrap();
        assert_eq!(parse(&text), BTreeSet::from(["x::y: no bwrap"]));
    }
}
