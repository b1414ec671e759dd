//! One file per use-case.

mod approvals;
mod blobs;
mod bundle;
mod cancel;
mod claim;
mod complete;
mod decide_approval;
mod events;
mod heartbeat;
mod judge;
mod log;
mod message;
mod output;
mod park;
mod read;
mod release;
mod request_approval;
mod retry;
mod revoke;
mod runners;
mod server_log;
mod start;
mod submit;
mod sync;
mod tick;
mod tokens;
mod wait_for_work;
mod why;

pub use tick::Ticked;
