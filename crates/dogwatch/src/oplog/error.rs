//! Why there are no logs.

use std::io;
use std::path::PathBuf;

/// Logs that cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OplogError {
    /// A file or directory.
    #[error("{action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The writer's thread.
    #[error("start the thread that writes the logs")]
    Thread(#[source] io::Error),
    /// Events of this process go somewhere else already.
    #[error("take the events of this process, which something else takes already")]
    Taken,
    /// Lines could not be written, up to the end.
    #[error("write {lines} line(s) of the logs")]
    Lost {
        /// How many.
        lines: u64,
    },
}

impl OplogError {
    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
