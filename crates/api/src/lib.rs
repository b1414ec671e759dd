//! The language between those who ask and the control plane: requests, responses, problems, and the trait both sides speak.

mod caller;
pub mod codes;
mod control_plane;
mod problem;
mod requests;
mod wakeups;

pub use caller::{Caller, LeaseClaim, Scope};
pub use control_plane::ControlPlane;
pub use problem::{Problem, ProblemCode};
pub use requests::*;
pub use wakeups::{Wakeup, Wakeups};
