//! Where a turn is played: the working directory, the output, and what the request said.

mod files;
mod output;
mod processes;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::action::Action;
use crate::exchange::Request;
use crate::os;

/// How long to wait between two looks at a file.
const LOOK: Duration = Duration::from_millis(10);

/// Why an action did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActionError {
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} does not contain {text:?}", path.display())]
    TextAbsent { path: PathBuf, text: String },
    #[error("cannot print")]
    Print(#[source] io::Error),
    #[error("{} was not there after {waited_ms} ms", path.display())]
    NotInTime { path: PathBuf, waited_ms: u64 },
    #[error("cannot start `{command}`")]
    Start {
        command: String,
        #[source]
        source: io::Error,
    },
    #[error("`{command}` ended with {status}")]
    Command {
        command: String,
        status: std::process::ExitStatus,
    },
    #[error("cannot ignore SIGTERM")]
    Signal(#[source] io::Error),
    #[error("expected {0}")]
    Expectation(String),
}

/// What comes after an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Exit(u8),
}

/// The stage of one turn.
pub(crate) struct Stage<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) request: &'a Request,
    pub(crate) quiet: bool,
    pub(crate) stdout: &'a mut dyn Write,
    pub(crate) stderr: &'a mut dyn Write,
}

impl Stage<'_> {
    /// Does one thing.
    pub(crate) fn perform(&mut self, action: &Action) -> Result<Flow, ActionError> {
        match action {
            Action::Write {
                path,
                content,
                executable,
            } => self.write(path, content, *executable)?,
            Action::Append { path, content } => self.append(path, content)?,
            Action::Replace { path, from, to } => self.replace(path, from, to)?,
            Action::Remove { path } => self.remove(path)?,
            Action::Symlink { path, target } => self.symlink(path, target)?,
            Action::Touch { path } => self.touch(path)?,
            Action::Print { text, stream } => self.print(text, *stream)?,
            Action::PrintBytes {
                hex,
                repeat,
                stream,
            } => self.print_bytes(hex.as_deref(), repeat.as_ref(), *stream)?,
            Action::SleepMs(millis) => {
                self.note(&format!("waiting {millis} ms"));
                thread::sleep(Duration::from_millis(*millis));
            }
            Action::WaitForFile { path, timeout_ms } => self.wait_for_file(path, *timeout_ms)?,
            Action::Shell {
                command,
                allow_failure,
            } => self.shell(command, *allow_failure)?,
            Action::SpawnDaemon { command } => self.spawn_daemon(command)?,
            Action::ExpectFailedGate {
                name,
                output_contains,
            } => self.expect_failed_gate(name, output_contains.as_deref())?,
            Action::ExpectHint => self.expect_hint()?,
            Action::IgnoreSigterm => {
                os::ignore_sigterm().map_err(ActionError::Signal)?;
                self.note("ignoring SIGTERM");
            }
            Action::Exit { code } => {
                self.note(&format!("exiting with {code}"));
                return Ok(Flow::Exit(*code));
            }
            Action::Abort => {
                self.note("aborting");
                // A crash is what the script asks for.
                std::process::abort();
            }
        }
        Ok(Flow::Next)
    }

    /// Says what is done. Nobody may be listening any more, and what is done does not depend on it.
    fn note(&mut self, line: &str) {
        if !self.quiet {
            let _ = writeln!(self.stdout, "{line}");
        }
        let _ = self.stdout.flush();
    }

    fn place(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }

    fn wait_for_file(&mut self, path: &Path, timeout_ms: u64) -> Result<(), ActionError> {
        self.note(&format!("waiting for {}", path.display()));
        let place = self.place(path);
        let started = Instant::now();
        loop {
            match place.symlink_metadata() {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(ActionError::File {
                        what: "look at",
                        path: path.to_owned(),
                        source,
                    });
                }
            }
            if started.elapsed() >= Duration::from_millis(timeout_ms) {
                return Err(ActionError::NotInTime {
                    path: path.to_owned(),
                    waited_ms: timeout_ms,
                });
            }
            thread::sleep(LOOK);
        }
    }

    fn expect_failed_gate(
        &mut self,
        name: &str,
        output_contains: Option<&str>,
    ) -> Result<(), ActionError> {
        let gates = &self.request.failed_gates;
        let Some(gate) = gates.iter().find(|gate| gate.gate == name) else {
            let told: Vec<&str> = gates.iter().map(|gate| gate.gate.as_str()).collect();
            return Err(ActionError::Expectation(format!(
                "the request to tell of the failed gate `{name}`; it tells of {told:?}"
            )));
        };
        if let Some(text) = output_contains.filter(|text| !gate.output.contains(text)) {
            return Err(ActionError::Expectation(format!(
                "the output of the failed gate `{name}` to contain {text:?}; it is {:?}",
                gate.output
            )));
        }
        self.note(&format!("read what the gate {name} said"));
        Ok(())
    }

    fn expect_hint(&mut self) -> Result<(), ActionError> {
        match self.request.hint.as_deref().map(str::trim) {
            Some(hint) if !hint.is_empty() => {
                self.note("read the hint");
                Ok(())
            }
            _ => Err(ActionError::Expectation(
                "the request to carry a hint; it has none".to_owned(),
            )),
        }
    }
}
