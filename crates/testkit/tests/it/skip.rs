//! A skip goes to the output and, where there is one, to the report.

use std::process::Command;

use dogwatch_testkit::skip;

const ROLE: &str = "DOGWATCH_TESTKIT_SKIPPER";

/// Once started again with a report in the environment, which a process of many threads cannot set for itself.
#[test]
fn a_skip_is_reported() {
    if std::env::var_os(ROLE).is_some() {
        return skip(
            "skip::a_skip_is_reported",
            "it plays a test that misses something",
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    let expected =
        "DOGWATCH-SKIP skip::a_skip_is_reported: it plays a test that misses something\n";
    let again = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "skip::a_skip_is_reported", "--nocapture"])
            .env(ROLE, "1")
            .env_remove("DOGWATCH_SKIP_REPORT");
        command
    };
    let output = again()
        .env("DOGWATCH_SKIP_REPORT", &report)
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains(expected));
    assert_eq!(std::fs::read_to_string(&report).unwrap(), expected);

    // Without a report the output is all there is.
    let output = again().output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains(expected));
    assert_eq!(std::fs::read_to_string(&report).unwrap(), expected);
}
