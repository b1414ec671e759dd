//! The clocks that end a command: total budget and silence on CLOCK_MONOTONIC, the fencing deadline on CLOCK_BOOTTIME.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::os::clock::boottime_ns;
use crate::record::Cause;
use crate::spec::ShimSpec;

/// Budget and stall window.
#[derive(Debug)]
pub(super) struct Clocks {
    budget_ends: Instant,
    stall: Option<Duration>,
    last_output: Instant,
}

impl Clocks {
    pub(super) fn start(spec: &ShimSpec, now: Instant) -> Self {
        Self {
            budget_ends: after(now, Duration::from_millis(spec.budget_ms)),
            stall: spec.stall_ms.map(Duration::from_millis),
            last_output: now,
        }
    }

    pub(super) fn output(&mut self, now: Instant) {
        self.last_output = now;
    }

    /// The cause that has come up, if any.
    pub(super) fn expired(&self, now: Instant) -> Option<Cause> {
        if now >= self.budget_ends {
            return Some(Cause::Budget);
        }
        let silent = now.saturating_duration_since(self.last_output);
        self.stall
            .is_some_and(|window| silent >= window)
            .then(|| Cause::Stalled {
                silent_ms: u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
            })
    }

    /// When to look again.
    pub(super) fn next(&self) -> Instant {
        match self.stall {
            Some(window) => self.budget_ends.min(after(self.last_output, window)),
            None => self.budget_ends,
        }
    }
}

/// A moment so far away that it never comes stands for anything beyond the clock's range.
fn after(start: Instant, duration: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    start
        .checked_add(duration.min(NEVER))
        .expect("a monotonic clock counts further than a century")
}

/// The fencing deadline. A timer of its own, because the time spent in suspend counts and poll's timeout does not.
#[derive(Debug)]
pub(super) struct Fence {
    timer: TimerFd,
    deadline_ns: Option<u64>,
}

impl Fence {
    pub(super) fn new(deadline_ns: Option<u64>) -> io::Result<Self> {
        let timer = TimerFd::new(
            ClockId::CLOCK_BOOTTIME,
            TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK,
        )?;
        let mut fence = Self {
            timer,
            deadline_ns: None,
        };
        if let Some(deadline_ns) = deadline_ns {
            fence.set(deadline_ns)?;
        }
        Ok(fence)
    }

    pub(super) fn set(&mut self, deadline_ns: u64) -> io::Result<()> {
        let seconds = i64::try_from(deadline_ns / 1_000_000_000).unwrap_or(i64::MAX);
        let nanos = i64::try_from(deadline_ns % 1_000_000_000).unwrap_or(0);
        // A value of zero would disarm the timer instead of firing it.
        let at = TimeSpec::new(seconds, if deadline_ns == 0 { 1 } else { nanos });
        self.timer.set(
            Expiration::OneShot(at),
            TimerSetTimeFlags::TFD_TIMER_ABSTIME,
        )?;
        self.deadline_ns = Some(deadline_ns);
        Ok(())
    }

    /// Whether the deadline has passed. The clock decides; the timer only wakes the loop.
    pub(super) fn passed(&self) -> bool {
        self.deadline_ns
            .is_some_and(|deadline| boottime_ns() >= deadline)
    }

    /// Stops waking the loop once the deadline has been acted on.
    pub(super) fn disarm(&mut self) -> io::Result<()> {
        self.deadline_ns = None;
        Ok(self.timer.unset()?)
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{SPEC_VERSION, WantedRung};

    fn clocks(budget_ms: u64, stall_ms: Option<u64>, now: Instant) -> Clocks {
        let spec = ShimSpec {
            v: SPEC_VERSION,
            argv: Vec::new(),
            cwd: "/".into(),
            env: Vec::new(),
            frames_path: "/".into(),
            exit_path: "/".into(),
            control_path: "/".into(),
            budget_ms,
            stall_ms,
            grace_ms: 0,
            output_cap: 0,
            rung: WantedRung::Auto,
            deadline_boottime_ns: None,
            view: None,
            max_processes: 4096,
        };
        Clocks::start(&spec, now)
    }

    #[test]
    fn output_moves_the_stall_window_but_not_the_budget() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut clocks = clocks(1000, Some(300), start);
        assert_eq!(clocks.next(), at(300));
        assert_eq!(clocks.expired(at(299)), None);
        assert_eq!(
            clocks.expired(at(300)),
            Some(Cause::Stalled { silent_ms: 300 })
        );
        clocks.output(at(900));
        assert_eq!(clocks.next(), at(1000));
        assert_eq!(clocks.expired(at(999)), None);
        assert_eq!(clocks.expired(at(1000)), Some(Cause::Budget));
    }

    #[test]
    fn limits_beyond_the_clock_never_come() {
        let start = Instant::now();
        let clocks = clocks(u64::MAX, Some(u64::MAX), start);
        assert_eq!(clocks.expired(start + Duration::from_secs(86_400)), None);
    }

    #[test]
    fn a_deadline_in_the_past_has_passed_and_a_later_one_replaces_it() {
        let mut fence = Fence::new(Some(0)).unwrap();
        assert!(fence.passed());
        fence.set(u64::MAX).unwrap();
        assert!(!fence.passed());
        fence.set(boottime_ns()).unwrap();
        assert!(fence.passed());
        fence.disarm().unwrap();
        assert!(!fence.passed());
        assert!(!Fence::new(None).unwrap().passed());
    }
}
