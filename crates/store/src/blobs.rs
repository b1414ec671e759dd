//! Payloads by their SHA-256: what is too large for an event, kept once and named by what it is.

use async_trait::async_trait;
use dogwatch_core::Sha256Digest;

/// Why a payload was not stored, or not handed out.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The bytes are not those that the digest names. Nothing was stored.
    #[error("the bytes hash to {actual}, not to {digest}")]
    DigestMismatch {
        /// What was claimed.
        digest: Sha256Digest,
        /// What they are.
        actual: Sha256Digest,
    },
    /// What is stored under the digest is something else. It is never handed out.
    #[error("what is stored as {digest} is damaged: {reason}")]
    Corrupt {
        /// The digest.
        digest: Sha256Digest,
        /// In what way.
        reason: String,
    },
    /// The payload is larger than this store takes.
    #[error("{size} bytes are more than the {limit} that one payload may have")]
    TooLarge {
        /// How many bytes there are.
        size: u64,
        /// How many there may be.
        limit: u64,
    },
    /// The store does not answer now: disk full, directory gone, shutting down.
    #[error("payloads are unavailable: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
}

impl BlobError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DigestMismatch { .. } => "blob_digest_mismatch",
            Self::Corrupt { .. } => "blob_corrupt",
            Self::TooLarge { .. } => "blob_too_large",
            Self::Unavailable { .. } => "store_unavailable",
        }
    }
}

/// Payloads by digest. There is no call that changes one: the digest names exactly one byte string for ever.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores bytes under their digest; durable when it answers. Repeating it changes nothing, except that a damaged copy is replaced.
    async fn put(&self, digest: Sha256Digest, bytes: Vec<u8>) -> Result<(), BlobError>;

    /// The bytes of a digest, hashed again on the way; `None` when they were never stored.
    async fn get(&self, digest: Sha256Digest) -> Result<Option<Vec<u8>>, BlobError>;

    /// Whether something is stored under a digest. It is not read, so it may still turn out damaged.
    async fn has(&self, digest: Sha256Digest) -> Result<bool, BlobError>;
}
