//! Tests that cannot run on this machine say so.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Names the file that the report of all skipped tests is made from.
const REPORT: &str = "DOGWATCH_SKIP_REPORT";

/// Says that a test does not run here, on its output and in the report. The test then returns.
///
/// Panics when the report cannot be written: a skip that nobody hears of would look like a pass.
pub fn skip(test: &str, reason: &str) {
    let line = line(test, reason);
    #[expect(clippy::print_stdout, reason = "the output of a test is for people")]
    {
        println!("{line}");
    }
    if let Some(report) = std::env::var_os(REPORT).filter(|path| !path.is_empty()) {
        append(report.as_ref(), &line);
    }
}

fn line(test: &str, reason: &str) -> String {
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("DOGWATCH-SKIP {test}: {reason}")
}

/// In one write, as tests of other processes append to the same file.
fn append(report: &Path, line: &str) {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(report)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
        .unwrap_or_else(|error| panic!("the skip report {}: {error}", report.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_one_line_of_the_report() {
        let dir = tempfile::tempdir().unwrap();
        let report = dir.path().join("report");
        append(&report, &line("a::b", "no bwrap\n  here"));
        append(&report, &line("c", "not root"));
        assert_eq!(
            std::fs::read_to_string(report).unwrap(),
            "DOGWATCH-SKIP a::b: no bwrap here\nDOGWATCH-SKIP c: not root\n"
        );
    }

    #[test]
    #[should_panic(expected = "the skip report")]
    fn a_report_that_cannot_be_written_is_heard_of() {
        append(Path::new("/nonexistent/report"), "x");
    }
}
