//! Gates: what dogwatch checks by itself on the tree T, after no process of the agent is left. An agent's claim is never a verdict.

mod acceptance;
mod diff_scope;
mod report;

pub use acceptance::{AcceptanceFiles, AcceptanceRun, GateRunError, run_acceptance};
pub use diff_scope::{DIFF_SCOPE, diff_scope};
pub use report::GateReport;
