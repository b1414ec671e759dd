//! Actions that start processes.

use std::process::{Command, Stdio};

use super::{ActionError, Stage};
use crate::os;

/// Runs its argument in the background and ends, so that nobody is left whose child it is.
const ORPHAN: &str = r#"sh -c "$1" &"#;

impl Stage<'_> {
    pub(super) fn shell(&mut self, command: &str, allow_failure: bool) -> Result<(), ActionError> {
        self.note(&format!("$ {command}"));
        let status = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.directory)
            .stdin(Stdio::null())
            .status()
            .map_err(|source| ActionError::Start {
                command: command.to_owned(),
                source,
            })?;
        if !status.success() && !allow_failure {
            return Err(ActionError::Command {
                command: command.to_owned(),
                status,
            });
        }
        Ok(())
    }

    pub(super) fn spawn_daemon(&mut self, command: &str) -> Result<(), ActionError> {
        let status = os::spawn_daemon(
            Command::new("sh")
                .args(["-c", ORPHAN, "sh", command])
                .current_dir(self.directory),
        )
        .map_err(|source| ActionError::Start {
            command: command.to_owned(),
            source,
        })?;
        if !status.success() {
            return Err(ActionError::Command {
                command: command.to_owned(),
                status,
            });
        }
        self.note(&format!("left behind: {command}"));
        Ok(())
    }
}
