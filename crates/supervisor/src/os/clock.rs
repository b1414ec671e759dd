//! The machine's clocks and randomness: the only place that reads them.

use std::time::SystemTime;

use dogwatch_core::{Clock, Entropy, Timestamp};
use nix::libc;
use nix::time::{ClockId, clock_gettime};

/// The wall clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that reads the wall clock"
        )]
        let now = SystemTime::now();
        match now.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Timestamp::EPOCH.plus(after),
            // A clock set before 1970 is shown as the epoch: wall time decides nothing.
            Err(_) => Timestamp::EPOCH,
        }
    }
}

/// Random bytes from the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        let mut filled = 0;
        while filled < bytes.len() {
            let rest = &mut bytes[filled..];
            // SAFETY: the pointer and the length describe the writable rest of the array.
            let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
            // The only failure with these arguments is an interruption before the pool is ready, so asking again ends.
            filled += usize::try_from(got).unwrap_or(0);
        }
        bytes
    }
}

/// Nanoseconds since boot, counting the time the machine was suspended: the clock of fencing deadlines.
pub fn boottime_ns() -> u64 {
    let now =
        clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had CLOCK_BOOTTIME since 2.6.39");
    let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_moves_forward_and_random_bytes_differ() {
        let before = boottime_ns();
        assert!(before > 0);
        assert_ne!(SystemEntropy.bytes(), SystemEntropy.bytes());
        assert!(boottime_ns() >= before);
        assert!(SystemClock.now() > Timestamp::from_micros(1_700_000_000_000_000));
    }
}
