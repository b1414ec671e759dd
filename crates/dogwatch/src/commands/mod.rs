//! One file per command.

pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod init;
pub(crate) mod jobs;
mod judging;
mod kept;
pub(crate) mod logs;
pub(crate) mod promote;
mod reading;
pub(crate) mod reject;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod runner;
pub(crate) mod runs;
mod story;
mod summary;
pub(crate) mod token;
pub(crate) mod up;
pub(crate) mod verify;
pub(crate) mod wait;
pub(crate) mod why;
