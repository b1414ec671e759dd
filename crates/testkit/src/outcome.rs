//! How a command ended and what it said.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// How a command ended and what it said. `{:?}` shows it as a snapshot does.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code; nothing where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its output, as it was.
    pub stdout: Vec<u8>,
    /// Its errors, as they were.
    pub stderr: Vec<u8>,
    snapshot: String,
}

impl Outcome {
    pub(crate) fn new(output: Output, mut scrub: impl FnMut(&str) -> String) -> Self {
        let (code, signal) = (output.status.code(), output.status.signal());
        let ended = match (code, signal) {
            (Some(code), _) => format!("exit: {code}"),
            (None, Some(signal)) => format!("signal: {signal}"),
            (None, None) => "ended somehow".to_owned(),
        };
        let mut part = |name: &str, bytes: &[u8]| {
            let text = scrub(&String::from_utf8_lossy(bytes));
            let end = if text.is_empty() || text.ends_with('\n') {
                ""
            } else {
                "\n(no line end)\n"
            };
            format!("--- {name}\n{text}{end}")
        };
        let snapshot = format!(
            "{ended}\n{}{}",
            part("stdout", &output.stdout),
            part("stderr", &output.stderr)
        );
        Self {
            code,
            signal,
            stdout: output.stdout,
            stderr: output.stderr,
            snapshot,
        }
    }

    /// The output as text; bytes that are no text are replaced.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The errors as text; bytes that are no text are replaced.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Exit code, output and errors as one text that is the same on every machine: paths, ids, hashes and times are labels.
    pub fn snapshot(&self) -> &str {
        &self.snapshot
    }

    /// Panics with all that was said unless the exit code is this one.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.snapshot)
    }
}
