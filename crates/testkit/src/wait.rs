//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long to wait between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// A condition did not come true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotInTime {
    /// What was awaited.
    pub what: String,
    /// For how long.
    pub within: Duration,
}

impl std::fmt::Display for NotInTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "waited {:?} in vain for this: {}",
            self.within, self.what
        )
    }
}

impl std::error::Error for NotInTime {}

/// Waits until the condition holds. It is looked at least once, and once more after the deadline.
pub fn wait_until(
    what: &str,
    within: Duration,
    mut condition: impl FnMut() -> bool,
) -> Result<(), NotInTime> {
    wait_for(what, within, || condition().then_some(()))
}

/// Waits until there is a value. It is looked at least once, and once more after the deadline.
pub fn wait_for<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, NotInTime> {
    let started = Instant::now();
    loop {
        let last = started.elapsed() >= within;
        if let Some(found) = look() {
            return Ok(found);
        }
        if last {
            return Err(NotInTime {
                what: what.to_owned(),
                within,
            });
        }
        // SLEEP: between two looks at the condition.
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_comes_true_is_enough() {
        let mut looks = 0;
        let condition = || {
            looks += 1;
            looks == 3
        };
        wait_until("three looks", Duration::from_secs(20), condition).unwrap();
        assert_eq!(looks, 3);
        assert_eq!(wait_for("a value", Duration::ZERO, || Some(7)), Ok(7));
    }

    #[test]
    fn what_was_awaited_is_named() {
        let mut looks = 0;
        let error = wait_until("the server answers", Duration::from_millis(20), || {
            looks += 1;
            false
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "waited 20ms in vain for this: the server answers"
        );
        assert!(looks > 1);
    }
}
