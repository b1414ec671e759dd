//! What can go wrong when git is asked.

use std::io;
use std::path::PathBuf;

use crate::path_bytes::PathBytes;

/// A git command that could not be run, failed, or answered something unexpected.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No git on the search path.
    #[error("find `git` on the search path: install git 2.39 or newer")]
    Missing,
    /// The git that was found is too old.
    #[error("use {}: it says `{found}`, dogwatch needs git 2.39 or newer", program.display())]
    TooOld {
        /// Where it is.
        program: PathBuf,
        /// What it said.
        found: String,
    },
    /// The process could not be started.
    #[error("start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Talking to the process failed.
    #[error("exchange data with `git {command}`")]
    Pipe {
        /// The subcommand.
        command: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process ended with a failure.
    #[error("run `git {command}` ({}): {stderr}", exit.map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit code {code}")))]
    Failed {
        /// The subcommand.
        command: String,
        /// The exit code, absent when a signal ended it.
        exit: Option<i32>,
        /// The end of what it said, made safe to print.
        stderr: String,
    },
    /// It exceeded what it was allowed and was killed.
    #[error("run `git {command}`: it needed more than its share of {limit} and was stopped")]
    Stopped {
        /// The subcommand.
        command: String,
        /// What it had too much of.
        limit: &'static str,
    },
    /// The answer could not be understood.
    #[error("understand the answer of `git {command}`: {detail}")]
    Unexpected {
        /// The subcommand.
        command: String,
        /// What was wrong with it.
        detail: String,
    },
}

impl GitError {
    pub(crate) fn unexpected(command: &str, detail: impl Into<String>) -> Self {
        Self::Unexpected {
            command: command.to_owned(),
            detail: detail.into(),
        }
    }

    /// What git said, when it said something.
    pub(crate) fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            Self::Missing
            | Self::TooOld { .. }
            | Self::Spawn { .. }
            | Self::Pipe { .. }
            | Self::Stopped { .. }
            | Self::Unexpected { .. } => "",
        }
    }
}

/// The last lines of an error stream, without anything a terminal would obey.
pub(super) fn stderr_tail(bytes: &[u8]) -> String {
    const KEPT: usize = 2_000;
    let tail = &bytes[bytes.len().saturating_sub(KEPT)..];
    tail.split(|byte| *byte == b'\n')
        .map(|line| PathBytes::new(line).to_string())
        .filter(|line| !line.trim().is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}
