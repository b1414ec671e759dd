//! Why the store did not do what was asked, by what the caller can do about it.

use dogwatch_core::event::EnvelopeError;
use dogwatch_core::ids::RunId;
use dogwatch_core::job::Refusal;
use dogwatch_core::server::ServerRefusal;

/// A store operation that did not happen. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state does not accept the command: asking again gives the same answer.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The server's own stream does not accept the command.
    #[error(transparent)]
    ServerRefused(#[from] ServerRefusal),
    /// The run has another bundle already.
    #[error("{run} has another bundle already")]
    BundleConflict {
        /// The run.
        run: RunId,
    },
    /// The idempotency key was used for another request.
    #[error("idempotency key `{key}` was used for a different request")]
    IdempotencyConflict {
        /// The key.
        key: String,
    },
    /// A journal line differs from the one stored: the run has two histories.
    #[error("line {seq} of {run} differs from the one stored")]
    JournalFork {
        /// The run.
        run: RunId,
        /// The first line that differs.
        seq: u64,
    },
    /// Lines are missing before the ones sent.
    #[error("lines of {run} are missing: line {expected} is next")]
    JournalGap {
        /// The run.
        run: RunId,
        /// The line that comes next.
        expected: u64,
    },
    /// A line is not a journal line.
    #[error("line {seq} of {run} is not a journal line: {reason}")]
    JournalLine {
        /// The run.
        run: RunId,
        /// Where it was to stand.
        seq: u64,
        /// Why it is not one.
        reason: String,
    },
    /// An event could not become a line.
    #[error("event cannot be stored")]
    Event(#[from] EnvelopeError),
    /// What is stored cannot be read. It is never taken for empty.
    #[error("{what} cannot be read: {reason}")]
    Corrupt {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// A page was asked for with something that no page of this list ended with.
    #[error("`{0}` is not a cursor of this list")]
    BadCursor(String),
    /// The library or the database is of a version that must not be used.
    #[error("{0}")]
    Version(String),
    /// The store does not answer now: disk full, locked, shutting down.
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
}

impl StoreError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::ServerRefused(refusal) => refusal.code(),
            Self::BundleConflict { .. } => "bundle_conflict",
            Self::IdempotencyConflict { .. } => "idempotency_conflict",
            Self::JournalFork { .. } => "journal_fork",
            Self::JournalGap { .. } => "journal_gap",
            Self::JournalLine { .. } => "journal_line",
            Self::Event(_) => "event_invalid",
            Self::Corrupt { .. } => "store_corrupt",
            Self::BadCursor(_) => "bad_cursor",
            Self::Version(_) => "store_version",
            Self::Unavailable { .. } => "store_unavailable",
        }
    }
}
