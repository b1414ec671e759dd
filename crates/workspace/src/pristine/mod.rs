//! Base commits checked out once and shared: the lower layers of workspaces that are overlays.
//!
//! An entry of the cache is a private clone with its index, in which nothing is ever changed: everything a run writes goes to its own
//! upper layer. An entry counts only if its record is there, which is written last, and only until the next start of the
//! machine. It is kept while a
//! workspace uses it, which a pin says that names the workspace's directory and means nothing once that directory is gone.

mod cache;
mod error;
mod make;
mod pins;
mod record;

pub use cache::{CacheLimits, PristineCache};
pub use error::PristineError;
pub use make::Owner;

pub(crate) use cache::Pristine;
