//! The table of limits: every number that bounds a run stands here once.
//!
//! Each limit has an owner that enforces it, a default per model class, a minimum and the code of what happens when it is reached.
//! [`resolve`] puts the layers together: contract, job, environment, project, user, machine, default. A limit nobody set has the
//! default of its class and is never unlimited; an explicit 0 is refused, because people read it as "none" and as "no limit" alike.

mod backoff;
mod read;
mod resolve;
mod table;

pub use backoff::backoff;
pub use resolve::{
    LimitLayer, LimitNote, LimitOrigin, ResolvedLimits, ZeroLimit, ZeroLimits, resolve,
};
pub use table::{
    LIMITS, LeaseLimits, LimitOwner, LimitSpec, LimitUnit, Limits, LimitsDraft, ModelClass,
    limit_spec,
};
