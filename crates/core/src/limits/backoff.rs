//! How long to wait before a stalled agent is restarted.

use std::time::Duration;

use super::table::Limits;

/// The wait before restart `n` (counted from 1): `min(initial * 2^(n-1), max, window)`, all in milliseconds.
pub fn backoff(n: u64, initial_ms: u64, max_ms: u64, window_ms: u64) -> Duration {
    let doublings = u32::try_from(n.saturating_sub(1)).unwrap_or(u32::MAX);
    let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    Duration::from_millis(initial_ms.saturating_mul(factor).min(max_ms).min(window_ms))
}

impl Limits {
    /// The wait before restart `n` (counted from 1) of a stalled agent.
    pub fn backoff(&self, n: u64) -> Duration {
        backoff(
            n,
            self.initial_backoff_ms,
            self.max_retry_backoff_ms,
            self.stall_window_ms,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_maximum_and_the_window() {
        let waits = |max, window| {
            [1, 2, 3, 4].map(|n| u64::try_from(backoff(n, 100, max, window).as_millis()).unwrap())
        };
        assert_eq!(waits(300, 120_000), [100, 200, 300, 300]);
        assert_eq!(waits(60_000, 250), [100, 200, 250, 250]);
    }

    proptest! {
        #[test]
        fn waits_never_shrink_overflow_or_pass_a_cap(
            n in 0_u64..u64::MAX, initial in 1_u64.., max in 1_u64.., window in 1_u64..,
        ) {
            let wait = backoff(n, initial, max, window);
            prop_assert!(wait <= Duration::from_millis(max.min(window)));
            prop_assert!(wait <= backoff(n + 1, initial, max, window));
            prop_assert!(wait >= Duration::from_millis(initial.min(max).min(window)));
        }
    }
}
