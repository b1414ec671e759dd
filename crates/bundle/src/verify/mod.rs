//! Checking a sealed bundle with nothing but the directory and the keys the reader trusts.
//!
//! Everything inside is taken to be an enemy's work: sizes are capped, files are read as a stream, no symlink is followed, nothing panics.
//! The bundle is valid only if there is not one finding, and there is a finding for whatever could not be checked.

mod bundle;
mod files;
mod finding;
mod journal;
mod signature;
mod verdicts;

pub use bundle::{Verification, verify};
pub use finding::{Finding, codes};
