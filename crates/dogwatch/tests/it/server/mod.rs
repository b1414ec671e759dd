//! The server as a process of its own: it comes when it is needed, goes when it is not, and what it holds outlives it.

mod approvals;
mod curl;
mod outages;
mod process;
mod remote;
mod tokens;
