//! A simulated steady clock, and a wall clock that jumps.

use std::time::Duration;

use dogwatch_core::Timestamp;
use dogwatch_core::ids::{ApprovalId, JobId, LeaseId, uuid_v7};
use dogwatch_core::job::Timer;
use dogwatch_store::JobTimer;
use proptest::prelude::*;

use super::{LeaseWatch, TimerWatch, WatchedLease};

const TEN_YEARS: i64 = 10 * 365 * 86_400 * 1_000_000;
const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const TTL: Duration = Duration::from_secs(30);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn lease(byte: u8, renewals: u64) -> WatchedLease {
    WatchedLease {
        lease: LeaseId::from_uuid(uuid_v7(START, &[byte; 10])),
        renewals,
        ttl: TTL,
    }
}

fn job() -> JobId {
    JobId::from_uuid(uuid_v7(START, &[1; 10]))
}

fn backoff(ms: u64, since: Timestamp) -> JobTimer {
    JobTimer {
        job: job(),
        timer: Timer::Backoff { ms, since },
    }
}

fn approval(ms: u64, since: Timestamp) -> JobTimer {
    let approval = ApprovalId::from_uuid(uuid_v7(START, &[2; 10]));
    JobTimer {
        job: job(),
        timer: Timer::Approval {
            approval,
            ms,
            since,
        },
    }
}

#[test]
fn a_lease_that_is_renewed_lives_and_one_that_is_not_ends_after_its_whole_life() {
    let mut watch = LeaseWatch::default();
    for second in 0..30 {
        let leases = [lease(1, second / 10), lease(2, 4)];
        assert!(watch.look(secs(second), &leases).is_empty(), "{second}");
    }
    let over = watch.look(secs(30), &[lease(1, 3), lease(2, 4)]);
    assert_eq!(over, [lease(2, 4).lease]);
    // It is named until it is gone, and watched afresh if it comes back.
    assert_eq!(watch.look(secs(31), &[lease(2, 4)]), [lease(2, 4).lease]);
    assert!(watch.look(secs(32), &[]).is_empty());
    assert!(watch.look(secs(33), &[lease(2, 4)]).is_empty());
}

#[test]
fn whoever_starts_watches_afresh() {
    let mut before = LeaseWatch::default();
    before.look(secs(0), &[lease(1, 0)]);
    assert!(before.look(secs(29), &[lease(1, 0)]).is_empty());
    let mut after = LeaseWatch::default();
    assert!(after.look(secs(1_000), &[lease(1, 0)]).is_empty());
    assert!(after.look(secs(1_029), &[lease(1, 0)]).is_empty());
    assert_eq!(after.look(secs(1_030), &[lease(1, 0)]).len(), 1);
}

#[test]
fn a_look_after_a_long_sleep_counts_the_sleep() {
    let mut watch = LeaseWatch::default();
    watch.look(secs(0), &[lease(1, 5)]);
    assert!(
        watch.look(secs(3_600), &[lease(1, 6)]).is_empty(),
        "it was renewed meanwhile"
    );
    assert_eq!(watch.look(secs(7_200), &[lease(1, 6)]).len(), 1);
}

#[test]
fn a_wait_of_nothing_is_over_at_once() {
    let mut watch = TimerWatch::default();
    let timers = [approval(0, START)];
    let before = Timestamp::from_micros(START.as_micros() - TEN_YEARS);
    assert_eq!(watch.look(secs(0), before, &timers), timers);
}

#[test]
fn a_wait_that_a_restart_interrupts_goes_on_and_a_clock_set_back_gives_nothing() {
    let timers = [backoff(10_000, START)];
    let mut after = TimerWatch::default();
    assert!(after.look(secs(0), START.plus(secs(7)), &timers).is_empty());
    assert!(after.look(secs(2), START.plus(secs(9)), &timers).is_empty());
    assert_eq!(after.look(secs(3), START.plus(secs(10)), &timers), timers);
    let mut set_back = TimerWatch::default();
    let earlier = Timestamp::from_micros(START.as_micros() - TEN_YEARS);
    assert!(set_back.look(secs(0), earlier, &timers).is_empty());
    assert!(set_back.look(secs(9), earlier, &timers).is_empty());
    assert_eq!(set_back.look(secs(10), earlier, &timers), timers);
}

#[test]
fn another_wait_of_the_same_job_is_another_wait() {
    let mut watch = TimerWatch::default();
    watch.look(secs(0), START, &[backoff(5_000, START)]);
    assert_eq!(
        watch
            .look(secs(5), START.plus(secs(5)), &[backoff(5_000, START)])
            .len(),
        1
    );
    let again = [backoff(5_000, START.plus(secs(5)))];
    assert!(watch.look(secs(6), START.plus(secs(6)), &again).is_empty());
    assert_eq!(watch.look(secs(10), START.plus(secs(10)), &again).len(), 1);
}

/// One second of a life: whether the holder renewed, and where the wall clock was set.
#[derive(Clone, Debug)]
struct Second {
    renewed: bool,
    wall: Option<i64>,
}

fn seconds() -> impl Strategy<Value = Vec<Second>> {
    let second = (
        prop::bool::weighted(0.1),
        prop::option::weighted(0.1, -TEN_YEARS..TEN_YEARS),
    )
        .prop_map(|(renewed, wall)| Second { renewed, wall });
    prop::collection::vec(second, 1..200)
}

proptest! {
    #[test]
    fn a_lease_is_over_exactly_when_it_was_seen_unchanged_for_its_life(life in seconds()) {
        let mut watch = LeaseWatch::default();
        let (mut renewals, mut changed) = (0, 0);
        for (at, second) in (0_u64..).zip(&life) {
            if second.renewed {
                renewals += 1;
                changed = at;
            }
            let over = !watch.look(secs(at), &[lease(1, renewals)]).is_empty();
            prop_assert_eq!(over, secs(at - changed) >= TTL);
        }
    }

    #[test]
    fn a_wait_is_over_after_its_time_wherever_the_wall_clock_goes(life in seconds(), wait in 0_u64..150) {
        let timers = [backoff(wait * 1_000, START)];
        let mut watch = TimerWatch::default();
        let mut offset = 0;
        // The wait begins under watch: the first look has nothing to wait for.
        watch.look(secs(0), START, &[]);
        for (at, second) in (1_u64..).zip(&life) {
            offset = second.wall.unwrap_or(offset);
            let wall = Timestamp::from_micros(START.as_micros() + offset).plus(secs(at));
            let over = !watch.look(secs(at), wall, &timers).is_empty();
            // What passed before the first look at it is at most what passed since the look before.
            if at > wait {
                prop_assert!(over, "second {} of {}", at, wait);
            } else if at < wait {
                prop_assert!(!over, "second {} of {}", at, wait);
            }
        }
    }
}
