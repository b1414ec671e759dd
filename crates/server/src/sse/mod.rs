//! Server-sent events: what happens, with a cursor in every `id:`, so that a client that lost the connection goes on where it stood.
//!
//! A stream is a [`Source`] that is asked for what follows a cursor and says when there may be more. Everything else is the same for all
//! streams: signs of life, the token that is looked at again and again, and a last event that says why the stream ends.

mod body;
mod drive;
mod frame;
mod source;

pub(crate) use drive::{Watch, broken, respond};
pub(crate) use source::{Batch, Item, Source};
