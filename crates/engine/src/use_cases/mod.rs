//! One file per use-case.

mod cancel;
mod claim;
mod complete;
mod events;
mod heartbeat;
mod read;
mod release;
mod retry;
mod revoke;
mod start;
mod submit;
