//! The store on SQLite: one file, one writer thread, read-only readers beside it.
//!
//! - Every write goes through [`SqliteStore`]'s writer thread, which commits what is queued as one transaction and answers afterwards.
//! - Every read goes through a small pool of read-only connections, which neither wait for the writer nor hold it up.
//! - [`SqliteReader`] is the same pool without a writer, for commands that only look.
//!
//! What it keeps when things go wrong is written where it is done: `writer/batch.rs` (a failed commit, a failed fsync),
//! `open.rs` (an unclean end, a file of another version), `load.rs` (a projection that does not match its log).

mod audit;
mod error;
mod fault;
mod load;
mod migrate;
mod open;
mod pool;
mod project;
mod read;
mod reader;
mod store;
mod version;
mod writer;

pub use error::OpenError;
pub use reader::SqliteReader;
pub use store::SqliteStore;
pub use version::{MIN_LIBRARY_VERSION, check_library_version};
