//! Working copies that borrow their objects from the vault: the agent's private clone, and the export a gate runs in.

mod export;
pub(crate) mod layout;
mod private;

pub use export::Export;
pub use layout::CloneError;
pub(crate) use layout::{alternates_line, check_branch};
pub use private::PrivateClone;
