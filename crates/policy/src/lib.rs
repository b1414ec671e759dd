//! Policy: every decision goes through one trait, and nothing executes before its decision is recorded.

mod builtin;
mod decider;

pub use builtin::AllowAll;
pub use decider::{Action, PolicyDecider, PolicyDecision, PolicyError, PolicyRequest};
