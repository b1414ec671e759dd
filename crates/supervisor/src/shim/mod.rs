//! The shim: the small single-threaded process that holds one command.
//!
//! It exists so that a crash or an upgrade of whoever started it neither loses the command's end nor lets a process escape. It uses no
//! async runtime and starts no thread: forking is safe, and the parent-death signal, which follows the forking thread, follows the shim.
//!
//! - [`entry`]: from the spec on standard input to the first poll.
//! - [`launch`], [`init`], [`child`]: the way to a running command; [`report`] is what they say on the way.
//! - [`view`], [`stage`]: what a contained command sees, and the last layers around it.
//! - [`event_loop`]: one poll loop over everything below.
//! - [`tree`], [`stop`], [`clocks`]: what runs, how it is ended, and when.
//! - [`capture`], [`redaction`], [`tail`], [`last_line`]: its output. [`control`]: its runner.

mod capture;
mod child;
mod clocks;
mod control;
mod entry;
mod event_loop;
mod init;
mod last_line;
mod launch;
mod redaction;
mod report;
mod stage;
mod stop;
mod tail;
mod tree;
mod view;

pub use entry::shim_main;
pub(crate) use stage::{Filter, STAGE_ARGUMENT, stage_main};
