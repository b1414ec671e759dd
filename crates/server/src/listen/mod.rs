//! Where the server listens, and what a connection goes through before a request is looked at.

mod address;
mod connection;
mod error;
mod link;
mod preface;
mod tcp;
mod unix;

pub(crate) use address::Listener;
pub use address::{Listen, Listening};
pub use error::ListenError;
