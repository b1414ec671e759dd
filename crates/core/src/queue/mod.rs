//! Where a job stands in the queue: derived from the job, a clock and the runners there are, and never stored.
//!
//! What a job demands of whoever takes it is one list, evaluated in one place: the claim asks it of one machine, an explanation asks it
//! of all of them.

mod constraint;
mod view;

#[cfg(test)]
mod tests;

pub use constraint::{Constraint, Offer, OfferedSession, Unmet, constraints, unmet};
pub use view::{QueueState, QueueView, SlaState, WaitingReason, view};
