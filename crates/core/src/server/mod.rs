//! The stream of the server itself: its tokens, its starts and stops, and the runners it knows. One stream, apart from those of jobs.

mod decide;
mod event;
mod state;

pub use decide::{ServerCommand, ServerRefusal, decide};
pub use event::{RunnerSynced, ServerEvent, TokenCreated};
pub use state::{ServerState, TokenRecord, TokenStatus};
