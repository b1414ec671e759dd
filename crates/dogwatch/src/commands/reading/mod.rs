//! What the commands that only look have in common: a store that is read and never written, ids as people give them, pages of lists.

mod evidence;
mod jobs;
mod lines;
mod page;
mod readings;

pub(super) use evidence::{open_evidence, read_evidence};
pub(super) use jobs::{JobListArgs, list_jobs, show_job};
pub(super) use lines::{bundle_state, line, note, print_failure, warning};
pub(super) use page::PageArgs;
pub(super) use readings::Readings;
