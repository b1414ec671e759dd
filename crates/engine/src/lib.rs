//! The control plane's use-cases, once each: whoever calls, the same path decides, appends and answers.
//!
//! Every use-case takes a [`dogwatch_api::Caller`]. Decisions are pure functions of `dogwatch_core`; this crate asks policy, picks ids,
//! hands the decision to the store and turns refusals into problems.

mod access;
mod engine;
mod hints;
mod in_process;
mod known;
mod problems;
pub mod reading;
mod report;
mod sessions;
mod texts;
mod tokens;
mod trace;
mod use_cases;
mod wakeups;
mod watch;

pub use engine::{Engine, EngineParts};
pub use hints::Hint;
pub use in_process::InProcess;
pub use tokens::{AuthFailure, LocalToken, TokenKey, unproved_claim};
pub use use_cases::Ticked;
