//! Checking: projections against their log, chains against their bytes.

mod chains;
mod rebuild;
mod replay;

pub(crate) use chains::check_chains;
pub(crate) use rebuild::rebuild;
