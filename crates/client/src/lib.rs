//! The control plane over HTTP, typed.
//!
//! [`Client`] is a `dogwatch_api::ControlPlane`: whoever uses one need not know whether the engine is in the same process. A call is
//! repeated only where that is harmless, a stream is opened again where it broke off, and whatever goes wrong is a problem with a code.

mod answer;
mod call;
mod client;
mod connection;
mod control_plane;
mod error;
mod feed;
mod follow;
mod options;
mod target;
mod tls;
mod wakeups;

pub use client::Client;
pub use error::ConnectError;
pub use follow::{Follow, JournalLine, PrintedPiece};
pub use options::Options;
pub use target::{Target, Token};
