//! What stands between captured bytes and the disk: the secrets of a run, and the filter that takes them out.
//!
//! Everything a command prints passes through a [`Redactor`] before it is stored. [`SecretRedactor`] replaces each secret, in every form
//! that `encodings` lists and wherever the chunks are cut, with a text that says its name and nothing about its length. What overlaps is
//! replaced as one. Text that arrives whole is filtered by [`SecretSet::redact_text`] and [`SecretSet::redact_bytes`].
//!
//! Bytes that could still become a secret are held back until more arrive or the stream ends, however long that takes: a prefix let go
//! after a pause would be half a secret on the disk. All other bytes pass at once, and at most one byte less than the longest form is held.

mod encodings;
mod matcher;
mod redactor;
mod secret_set;
mod stream;
#[cfg(test)]
mod tests;

pub use redactor::{NoSecrets, Redactor};
pub use secret_set::{MAX_SECRET_LEN, MIN_SECRET_LEN, RefusedSecret, SecretProblem, SecretSet};
pub use stream::SecretRedactor;
