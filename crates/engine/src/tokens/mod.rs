//! Tokens: what a caller presents, and whom it stands for.
//!
//! Three kinds. Those that somebody made stand in the server's stream by the digest of their secret. Those of running agents are made
//! from the lease they speak for and stored nowhere. And a server process has one of its own, for the user who owns its data directory.

mod authenticate;
mod run_token;
mod secret;

pub use authenticate::{AuthFailure, LocalToken};
pub use run_token::{TokenKey, unproved_claim};
pub(crate) use secret::fresh_secret;
