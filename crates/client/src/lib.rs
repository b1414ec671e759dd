//! The control plane over HTTP, typed.

mod answer;
mod call;
mod connection;
mod error;
mod feed;
mod options;
mod target;
mod tls;
mod wakeups;

pub use error::ConnectError;
pub use options::Options;
pub use target::{Target, Token};
