//! Following a job from anywhere: its journal as it grows, and how it ended. Whoever stops following changes nothing.

mod interrupts;
mod job;
mod lines;
mod outcome;
mod terminal;
mod view;

pub(crate) use job::{Followed, follow};
pub(crate) use lines::LineView;
pub(crate) use outcome::Finished;
pub(crate) use terminal::TerminalView;
pub(crate) use view::View;
