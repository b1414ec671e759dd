//! Waits that are over.

use std::collections::BTreeMap;
use std::time::Duration;

use dogwatch_core::Timestamp;
use dogwatch_core::ids::JobId;
use dogwatch_core::job::Timer;
use dogwatch_store::JobTimer;

#[derive(Clone, Copy, Debug)]
struct Seen {
    since: Duration,
    /// What had passed of the wait when it was seen first.
    credit: Duration,
}

/// How long each wait has been watched.
#[derive(Debug, Default)]
pub(crate) struct TimerWatch {
    seen: BTreeMap<(JobId, Timer), Seen>,
    looked: Option<Duration>,
}

impl TimerWatch {
    /// Looks at every wait at an instant of the watcher's steady clock, and gives those that are over. Each of them is given again with
    /// every look until it is gone from the list.
    ///
    /// The wall clock is asked once for each wait, when it is seen first, so that a restart does not start it over. Between two looks no
    /// more can have passed than between the looks, so a wall clock that is set while somebody watches changes nothing.
    pub(crate) fn look(
        &mut self,
        now: Duration,
        wall: Timestamp,
        timers: &[JobTimer],
    ) -> Vec<JobTimer> {
        let mut seen = BTreeMap::new();
        let mut over = Vec::new();
        for timer in timers {
            let Some((ms, since)) = steady(&timer.timer) else {
                continue;
            };
            let wait = Duration::from_millis(ms);
            let key = (timer.job, timer.timer);
            let watched = self.seen.get(&key).copied().unwrap_or_else(|| {
                let between = self
                    .looked
                    .map_or(wait, |looked| now.saturating_sub(looked));
                Seen {
                    since: now,
                    credit: wall.since(since).min(wait).min(between),
                }
            });
            let passed = now.saturating_sub(watched.since) + watched.credit;
            if passed >= wait {
                over.push(*timer);
            }
            seen.insert(key, watched);
        }
        self.seen = seen;
        self.looked = Some(now);
        over
    }
}

/// What a steady clock measures: for how long, and since which instant of the wall clock.
fn steady(timer: &Timer) -> Option<(u64, Timestamp)> {
    match timer {
        Timer::Backoff { ms, since } | Timer::Approval { ms, since, .. } => Some((*ms, *since)),
        Timer::Deadline { .. } | Timer::Resume { .. } => None,
    }
}
