//! Asking again: a control plane that cannot be reached for a while does not disturb a run, as long as its lease may still be alive.

use std::future::Future;
use std::time::Duration;

use dogwatch_api::{Problem, ProblemCode};
use dogwatch_supervisor::os::clock::boottime_ns;

use crate::error::RunnerError;
use crate::heartbeat::Pulse;

/// The wait before a call is made again; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait between two calls.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long the last words of a run are repeated.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// How long a run asks again. A call may only be made through this if repeating it changes nothing.
#[derive(Clone, Debug)]
pub(crate) enum Patience {
    /// Not at all: who asks is at work on what others left, and does it again as a whole.
    None,
    /// While the lease of this pulse may be alive.
    WhileHeld(Pulse),
    /// Until an instant of the boot clock, in nanoseconds: for what is answered also after the lease has ended.
    Until(u64),
}

impl Patience {
    /// For the last words of a run, whose repetition is recognised although the lease has ended with the first.
    pub(crate) fn for_last_words() -> Self {
        let wait = u64::try_from(LAST_WORDS.as_nanos()).unwrap_or(u64::MAX);
        Self::Until(boottime_ns().saturating_add(wait))
    }

    /// Makes the call until it is answered.
    pub(crate) async fn ask<T, F>(&self, call: impl Fn() -> F) -> Result<T, RunnerError>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let mut waits = Waits::default();
        loop {
            if let Self::WhileHeld(pulse) = self
                && pulse.is_lost()
            {
                return Err(RunnerError::LeaseLost);
            }
            let problem = match call().await {
                Ok(answer) => return Ok(answer),
                Err(problem) => problem,
            };
            let wait = match self {
                _ if !is_passing(&problem) => return Err(problem.into()),
                Self::None => return Err(problem.into()),
                Self::Until(end) if boottime_ns() >= *end => return Err(problem.into()),
                // The shim has ended the tree by now, and another holder may be at work soon.
                Self::WhileHeld(pulse) if pulse.is_over(boottime_ns()) => {
                    tracing::warn!(
                        code = problem.code,
                        "the control plane did not answer while the lease was alive"
                    );
                    return Err(RunnerError::LeaseLost);
                }
                Self::Until(_) | Self::WhileHeld(_) => waits.next(),
            };
            tracing::debug!(code = problem.code, "asking the control plane again");
            match self {
                Self::WhileHeld(pulse) => pulse.wait_or_lost(wait).await,
                Self::Until(_) | Self::None => tokio::time::sleep(wait).await,
            }
        }
    }
}

/// Whether the same call may be answered later.
pub(crate) fn is_passing(problem: &Problem) -> bool {
    matches!(
        problem.kind,
        ProblemCode::Unavailable | ProblemCode::TooMany
    )
}

/// Waits that grow up to a bound.
#[derive(Debug)]
pub(crate) struct Waits {
    next: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { next: FIRST_WAIT }
    }
}

impl Waits {
    /// How long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(LONGEST_WAIT);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_their_bound() {
        let mut waits = Waits::default();
        let all: Vec<_> = (0..8).map(|_| waits.next().as_millis()).collect();
        assert_eq!(all, [50, 100, 200, 400, 800, 1000, 1000, 1000]);
    }
}
