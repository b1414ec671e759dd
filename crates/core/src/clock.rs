//! The seams through which time and randomness enter: the core only names them.

use crate::time::Timestamp;

/// A source of wall-clock instants.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// A source of random bytes for ids.
pub trait Entropy: Send + Sync + std::fmt::Debug {
    /// Ten fresh bytes: the random part of a UUIDv7.
    fn bytes(&self) -> [u8; 10];
}
