//! What the agents of a run printed, by stream: append-only byte strings with offsets.

use async_trait::async_trait;
use dogwatch_core::frame::Stream;
use dogwatch_core::ids::RunId;

/// Names one stream of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputKey {
    /// The run.
    pub run: RunId,
    /// The turn, counted from one.
    pub turn: u32,
    /// Which of its streams.
    pub stream: Stream,
}

/// A part of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputPart {
    /// The bytes from the offset that was asked for; empty at the end and beyond.
    pub bytes: Vec<u8>,
    /// How long the stream is now, in bytes.
    pub total: u64,
}

/// Why output was not stored, or not handed out. The stream is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Bytes are missing before these.
    #[error("bytes are missing: offset {expected} is next")]
    Gap {
        /// Where the stream ends.
        expected: u64,
    },
    /// A byte differs from the one stored: the stream has two histories.
    #[error("the byte at offset {offset} differs from the one stored")]
    Fork {
        /// The first byte that differs.
        offset: u64,
    },
    /// What is stored cannot be read. It is never taken for empty.
    #[error("{what} cannot be read: {reason}")]
    Corrupt {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// The store does not answer now: disk full, directory gone, shutting down.
    #[error("output is unavailable: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
}

impl OutputError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Gap { .. } => "output_gap",
            Self::Fork { .. } => "output_fork",
            Self::Corrupt { .. } => "output_corrupt",
            Self::Unavailable { .. } => "store_unavailable",
        }
    }
}

/// Output by stream. A stream exists from its first byte on; what was never written is empty.
#[async_trait]
pub trait Output: Send + Sync {
    /// Puts bytes at an offset and answers where the stream ends now; durable when it answers.
    ///
    /// What the stream already has is compared and not written again, so that a chunk can be sent twice, alone or with more behind it. A
    /// crash in the middle leaves a stream that ends early, never one with other bytes: its sender goes on from the offset it last had
    /// acknowledged.
    async fn append(&self, key: OutputKey, offset: u64, bytes: Vec<u8>)
    -> Result<u64, OutputError>;

    /// At most `limit` bytes from an offset. What is read may not be acknowledged to its sender yet.
    async fn read(
        &self,
        key: OutputKey,
        offset: u64,
        limit: usize,
    ) -> Result<OutputPart, OutputError>;

    /// The streams of a run that have bytes, with their lengths, by turn and then by stream.
    async fn streams(&self, run: RunId) -> Result<Vec<(OutputKey, u64)>, OutputError>;
}
