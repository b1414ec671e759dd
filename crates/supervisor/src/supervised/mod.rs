//! The runner's side of a shim: starting one, following it, asking it, and reading what it left.

mod client;
mod shim_file;
mod spawn;

pub use client::{ControlClient, ControlError, Progress};
pub use shim_file::{SHIM_FILE, ShimFile, ShimFileError};
pub use spawn::{ShimProgram, Supervised, SupervisorError, TreeState};
