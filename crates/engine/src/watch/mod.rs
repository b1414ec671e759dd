//! Watching: what only time brings, by a clock that nobody can set.
//!
//! Expiry is what somebody saw, not a comparison of instants: a lease is over when its counter stayed the same for the whole of its life
//! on the watcher's own clock, and a wait is over when it was watched for as long as it takes. Nothing is stored, so whoever starts
//! watches afresh. Pure: clocks and lists come in, what is over comes out.

mod leases;
mod timers;

#[cfg(test)]
mod tests;

pub(crate) use leases::{LeaseWatch, WatchedLease};
pub(crate) use timers::TimerWatch;

/// Everything that one process watches.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    pub(crate) leases: LeaseWatch,
    pub(crate) timers: TimerWatch,
}
