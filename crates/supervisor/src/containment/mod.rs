//! What a command may see, write and reach: what the runner asks a shim for, and what it got.
//!
//! - [`View`]: the question. [`standard_masks`] and [`standard_readable`] are what every view hides and shows again.
//! - [`ContainmentReached`]: the answer, in the exit record. [`level`] says beforehand what this machine can give.
//!
//! How a view is made is the shim's business (`shim::view` and `shim::stage`).

mod level;
mod masks;
mod reached;
mod view;

pub use level::level;
pub(crate) use masks::{PROC_MASKED, PROC_READ_ONLY, is_file_when_absent};
pub use masks::{standard_masks, standard_readable};
pub use reached::ContainmentReached;
pub(crate) use reached::Layers;
pub(crate) use view::ViewError;
pub use view::{AgentUser, Network, Overlay, View};
