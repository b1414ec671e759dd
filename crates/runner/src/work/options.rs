//! How a runner works, and what came of it.

use std::time::Duration;

use crate::ended::Ended;

/// How long a runner works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One job, if one is there.
    Once,
    /// Until it is told to stop.
    Continuous,
}

/// How a runner hears of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// From wake-ups, and by asking: less often while there are wake-ups, all the time while there are none.
    #[default]
    Auto,
    /// By asking alone.
    Poll,
    /// From wake-ups alone: while there are none it asks for nothing but those.
    Sse,
}

/// How a runner works.
#[derive(Clone, Copy, Debug)]
pub struct WorkOptions {
    /// How long.
    pub mode: Mode,
    /// How many runs at once, at least 1.
    pub slots: u32,
    /// How it hears of work.
    pub transport: Transport,
    /// How long one request for work waits for some, and so how long a drain takes at most beyond the runs; at most 60 s. While there are
    /// wake-ups no request waits, and one is made in five times as long.
    pub poll_interval: Duration,
}

impl Default for WorkOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Continuous,
            slots: 1,
            transport: Transport::Auto,
            poll_interval: Duration::from_secs(2),
        }
    }
}

/// What a runner is told from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// Go on.
    #[default]
    GoOn,
    /// Take no new work, and end with the last run.
    Drain,
    /// Kill the processes of the runs, which are sealed and reported as stopped, and end.
    Now,
}

/// What came of a runner's work.
#[derive(Clone, Debug, Default)]
pub struct Worked {
    /// How many jobs it took.
    pub jobs: u64,
    /// What became of the last one.
    pub last: Option<Ended>,
    /// Whether the control plane asked it to take no more.
    pub drained: bool,
}
