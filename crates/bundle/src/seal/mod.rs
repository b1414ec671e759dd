//! Sealing: from a directory of evidence to one digest with a signature.
//!
//! The order is what makes it safe to be killed at any point. The manifest is put together from what is on disk and from the caller's
//! facts, never from an earlier manifest, and has no authority until the attestation stands beside it; that is the last thing written.
//! So a bundle is unsealed, or half sealed and sealed again from the start, or sealed.

mod collect;
mod error;
mod steps;
#[cfg(test)]
mod tests;

pub use error::SealError;
pub use steps::{Sealed, seal};
