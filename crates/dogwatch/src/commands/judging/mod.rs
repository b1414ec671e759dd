//! What `promote` and `reject` have in common: a run with evidence that was checked, a verdict on record, a signed statement of it.

mod begun;
mod place;
mod statement;
mod subject;

pub(super) use begun::{Begun, Wanted, WantedMode};
pub(super) use place::{Place, open_vault};
pub(super) use statement::write_statement;
pub(super) use subject::Subject;
