//! The control plane's use-cases, once each: whoever calls, the same path decides, appends and answers.
//!
//! Every use-case takes a [`dogwatch_api::Caller`]. Decisions are pure functions of `dogwatch_core`; this crate asks policy, picks ids,
//! hands the decision to the store and turns refusals into problems.

mod engine;
mod in_process;
mod problems;
pub mod reading;
mod use_cases;

pub use engine::Engine;
pub use in_process::InProcess;
