//! Time and randomness that a test decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use dogwatch_core::{Clock, Entropy, Timestamp};

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// A clock that stands still until it is moved. Clones show the same time.
#[derive(Clone, Debug)]
pub struct SimClock(Arc<AtomicI64>);

impl SimClock {
    /// A clock that shows 2026-01-01T00:00:00Z.
    pub fn new() -> Self {
        Self::at(START)
    }

    /// A clock that shows an instant.
    pub fn at(instant: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(instant.as_micros())))
    }

    /// Moves it to an instant, also backwards.
    pub fn set(&self, instant: Timestamp) {
        self.0.store(instant.as_micros(), Ordering::SeqCst);
    }

    /// Moves it forward and tells the new time.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let moved = |micros| Some(Timestamp::from_micros(micros).plus(by).as_micros());
        match self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved)
        {
            Ok(before) | Err(before) => Timestamp::from_micros(before).plus(by),
        }
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Random bytes that are 1, 2, 3 and so on. Clones count together, so no two ids are the same.
#[derive(Clone, Debug)]
pub struct SeqEntropy(Arc<AtomicU64>);

impl SeqEntropy {
    /// Starts at 1.
    pub fn new() -> Self {
        Self::starting_at(1)
    }

    /// Starts at a number, for a second source in the same test.
    pub fn starting_at(first: u64) -> Self {
        Self(Arc::new(AtomicU64::new(first)))
    }
}

impl Default for SeqEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SeqEntropy {
    fn bytes(&self) -> [u8; 10] {
        let number = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        let mut bytes = [0; 10];
        // At the end, so that short ids tell them apart.
        bytes[2..].copy_from_slice(&number);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use dogwatch_core::ids::JobId;

    use super::*;

    #[test]
    fn the_clock_moves_only_when_told() {
        let clock = SimClock::new();
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00.000000Z");
        assert_eq!(clock.now(), clock.now());
        let shared = clock.clone();
        let moved = shared.advance(Duration::from_millis(1500));
        assert_eq!(moved, clock.now());
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:01.500000Z");
        clock.set(Timestamp::EPOCH);
        assert_eq!(shared.now(), Timestamp::EPOCH);
    }

    #[test]
    fn ids_are_the_same_every_time_and_never_twice() {
        let ids = || -> Vec<String> {
            let (clock, entropy) = (SimClock::new(), SeqEntropy::new());
            (0..3)
                .map(|_| JobId::mint(&clock, &entropy.clone()).to_string())
                .collect()
        };
        assert_eq!(ids(), ids());
        assert!(ids()[0].ends_with("000001") && ids()[2].ends_with("000003"));
        let (clock, other) = (SimClock::new(), SeqEntropy::starting_at(0x100));
        assert_eq!(JobId::mint(&clock, &other).short(), "000100");
    }
}
