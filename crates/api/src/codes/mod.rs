//! Every stable code that dogwatch prints: what it means and what to do about it.
//!
//! The tables are the source of `dogwatch explain` and of the pages under `docs/errors/`. Codes are wire format: append only. The codes
//! themselves are named where they arise; a test reads the sources and fails for one without an entry here.

mod approvals;
mod config;
mod contract;
mod data;
mod evidence;
mod gates;
mod history;
mod http;
mod info;
mod journal;
mod landing;
mod page;
mod program;
mod queue;
mod repository;
mod run;
mod server;
mod store;
mod turn;
mod verdicts;

pub use info::{ALL, AREAS, Area, CodeInfo, find, nearest};
pub use page::{index, page};
