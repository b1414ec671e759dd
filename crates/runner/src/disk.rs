//! How much room there is where the data is, and how much a run wants before it begins something.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use dogwatch_core::Timestamp;
use nix::sys::statvfs::statvfs;

/// What is kept free of a large file system.
const RESERVE: u64 = 1 << 30;

/// The part of a small one that is kept free: one in so many.
const SHARE: u64 = 50;

/// How long a run waits for room before it looks again.
const RETRY: Duration = Duration::from_secs(60);

/// When runs wait for room on the file system of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskReserve {
    /// The bytes that stay free; none stands for 1 GiB or 2 % of the file system, whichever is less. With 0 nobody waits.
    pub bytes: Option<u64>,
    /// How long a run waits before it looks again, to which up to a quarter is added, so that not all come back at once.
    pub retry: Duration,
}

impl Default for DiskReserve {
    fn default() -> Self {
        Self {
            bytes: None,
            retry: RETRY,
        }
    }
}

/// Less room than a run wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LowDisk {
    /// The bytes that are free.
    pub(crate) free: u64,
    /// The bytes that should be.
    pub(crate) wanted: u64,
}

impl fmt::Display for LowDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} KiB are free where the data directory is and {} KiB are wanted",
            self.free >> 10,
            self.wanted.div_ceil(1024)
        )
    }
}

/// The size of a file system and what an ordinary user may still write to it, in bytes.
#[derive(Clone, Copy, Debug)]
struct Room {
    size: u64,
    free: u64,
}

impl Room {
    fn of(directory: &Path) -> io::Result<Self> {
        let stat = statvfs(directory)?;
        // The types of these differ from platform to platform.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        let (unit, all, free) = (
            stat.fragment_size() as u64,
            stat.blocks() as u64,
            stat.blocks_available() as u64,
        );
        Ok(Self {
            size: all.saturating_mul(unit),
            free: free.saturating_mul(unit),
        })
    }
}

impl DiskReserve {
    /// Whether there is less room than a run wants.
    pub(crate) fn look(self, data: &Path) -> io::Result<Option<LowDisk>> {
        Room::of(data).map(|room| self.judge(room))
    }

    fn judge(self, room: Room) -> Option<LowDisk> {
        let wanted = self.bytes.unwrap_or((room.size / SHARE).min(RESERVE));
        (room.free < wanted).then_some(LowDisk {
            free: room.free,
            wanted,
        })
    }

    /// When a run that waits for room looks again.
    pub(crate) fn again(self, now: Timestamp, random: [u8; 10]) -> Timestamp {
        let [first, second, ..] = random;
        let share = u64::from(u16::from_be_bytes([first, second]));
        let retry = u64::try_from(self.retry.as_micros()).unwrap_or(u64::MAX);
        let wait = retry.saturating_add((retry / 4).saturating_mul(share) >> 16);
        let wait = i64::try_from(wait).unwrap_or(i64::MAX);
        Timestamp::from_micros(now.as_micros().saturating_add(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(bytes: Option<u64>, size: u64, free: u64) -> Option<u64> {
        let reserve = DiskReserve {
            bytes,
            ..DiskReserve::default()
        };
        reserve.judge(Room { size, free }).map(|low| low.wanted)
    }

    #[test]
    fn the_reserve_is_a_gibibyte_or_a_fiftieth_whichever_is_less() {
        let large = 1 << 40;
        assert_eq!(judged(None, large, RESERVE), None);
        assert_eq!(judged(None, large, RESERVE - 1), Some(RESERVE));
        let small = 16 << 20;
        assert_eq!(judged(None, small, small / 50), None);
        assert_eq!(judged(None, small, small / 50 - 1), Some(small / 50));
        assert_eq!(judged(Some(0), large, 0), None);
        assert_eq!(judged(Some(7), large, 6), Some(7));
    }

    #[test]
    fn runs_that_wait_do_not_all_come_back_at_once() {
        let reserve = DiskReserve::default();
        let after = |random| reserve.again(Timestamp::EPOCH, random).as_micros();
        assert_eq!(after([0; 10]), 60_000_000);
        let latest = after([255; 10]);
        assert!((74_000_000..75_000_000).contains(&latest), "{latest}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error_and_not_an_empty_disk() {
        let home = tempfile::tempdir().unwrap();
        let none = DiskReserve::default().look(&home.path().join("none"));
        assert!(none.is_err());
        let all = DiskReserve {
            bytes: Some(u64::MAX),
            ..DiskReserve::default()
        };
        let low = all.look(home.path()).unwrap().unwrap();
        assert!(low.free < low.wanted);
    }
}
