//! Exit codes: stable, documented in the README, and the same for every command.

use std::process::ExitCode;

use dogwatch_core::job::RunOutcome;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Success,
    /// Not done, and there is something to do about it; bad usage too.
    Failure,
    /// Stopped or interrupted by a person.
    Stopped,
    /// Blocked, or waiting for an approval: a person has to do something first.
    Blocked,
    /// Nobody knows who is asking, or they may not.
    Refused,
    /// Parked on a limit, and not waiting for it.
    Parked,
}

impl Exit {
    /// The code of a run's outcome.
    pub(crate) const fn of(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Succeeded => Self::Success,
            RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::Orphaned => Self::Failure,
            RunOutcome::Stopped => Self::Stopped,
            RunOutcome::Blocked => Self::Blocked,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Stopped => 2,
            Exit::Blocked => 3,
            Exit::Refused => 4,
            Exit::Parked => 75,
        })
    }
}
