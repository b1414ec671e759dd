//! Errors as people see them: a stable code, what happened, what to do next.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use dogwatch_api::{Problem, ProblemCode};
use serde_json::json;

use crate::exit::Exit;
use crate::output::plain;

/// A command that could not do what it was asked.
#[derive(Clone, Debug)]
pub(crate) struct CliError {
    code: String,
    message: String,
    next: Option<String>,
    exit: Exit,
}

impl CliError {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            next: None,
            exit: Exit::Failure,
        }
    }

    /// An error with its causes in one line.
    pub(crate) fn from_error(code: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let _ = write!(message, ": {error}");
            cause = error.source();
        }
        Self::new(code, message)
    }

    /// Names the file that is wrong.
    #[must_use]
    pub(crate) fn in_file(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", path.display(), self.message);
        self
    }

    /// Names what it is about, after the message.
    #[must_use]
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.message = format!("{} ({what})", self.message);
        self
    }

    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    #[must_use]
    pub(crate) const fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    pub(crate) fn next_action(&self) -> Option<&str> {
        self.next.as_deref()
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// Says it on standard error.
    pub(crate) fn print(&self, as_json: bool) {
        let mut stderr = io::stderr().lock();
        // Nobody is left to tell when standard error is gone.
        let _ = if as_json {
            let error = json!({
                "code": self.code,
                "message": self.message,
                "next_action": self.next,
            });
            writeln!(stderr, "{}", json!({ "error": error }))
        } else {
            let next = self
                .next
                .as_ref()
                .map(|next| format!("\n  next: {}", plain(next)))
                .unwrap_or_default();
            writeln!(
                stderr,
                "error[{}]: {}{next}",
                self.code,
                plain(&self.message)
            )
        };
    }
}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        let exit = match problem.kind {
            ProblemCode::Unauthenticated | ProblemCode::Forbidden => Exit::Refused,
            _ => Exit::Failure,
        };
        Self::new(&problem.code, problem.detail)
            .next(problem.next_action)
            .exiting(exit)
    }
}
