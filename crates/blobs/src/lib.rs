//! Payloads by digest and output by offset, as files of one directory each.
//!
//! One process at a time owns such a directory: the lock of the data directory sees to that. Within it every key has a lock of its own.
//! Names are made from typed ids and digests alone, so no name leads out of the directory; links are not followed. All work on files is
//! done off the runtime's threads, and goes on when its caller does not wait for it.

mod directory;
mod file_blobs;
mod file_output;
mod key_locks;

pub use file_blobs::FileBlobs;
pub use file_output::FileOutput;
