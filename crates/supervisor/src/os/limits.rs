//! Limits on what one command can take from everybody else.

use nix::errno::Errno;
use nix::libc;

/// The most descriptors one process may have open.
const DESCRIPTORS: libc::rlim_t = 16_384;

/// The least a namespace takes as its limit: the numbers below 300 are given out only once.
const FEWEST_PROCESSES: u32 = 301;

/// Limits the calling process and everything it starts: descriptors, and no core files. Async-signal-safe.
pub(crate) fn apply() -> Result<(), Errno> {
    lower(libc::RLIMIT_CORE, 0)?;
    lower(libc::RLIMIT_NOFILE, DESCRIPTORS)
}

fn lower(resource: libc::__rlimit_resource_t, most: libc::rlim_t) -> Result<(), Errno> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls take a valid place for one limit.
    unsafe {
        Errno::result(libc::getrlimit(resource, &raw mut limit))?;
        limit.rlim_max = limit.rlim_max.min(most);
        limit.rlim_cur = limit.rlim_cur.min(most);
        Errno::result(libc::setrlimit(resource, &raw const limit)).map(drop)
    }
}

/// Limits how many processes and threads the calling process's PID namespace may hold. Async-signal-safe.
///
/// The kernel counts numbers per namespace since Linux 6.14. Before that the same file was the whole machine's, so it is left alone.
pub(crate) fn limit_namespace(processes: u32) -> Result<(), Errno> {
    if !kernel_is_at_least(6, 14) {
        return Err(Errno::ENOSYS);
    }
    let mut digits = [0_u8; 10];
    let mut at = digits.len();
    let mut rest = processes.max(FEWEST_PROCESSES);
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    super::namespace::write_file(c"/proc/sys/kernel/pid_max", &digits[at..])
}

fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    // SAFETY: the structure is plain bytes, and the call fills it.
    let release = unsafe {
        let mut name = std::mem::zeroed::<libc::utsname>();
        if libc::uname(&raw mut name) != 0 {
            return false;
        }
        name.release
    };
    let mut numbers = release
        .split(|byte| !byte.cast_unsigned().is_ascii_digit())
        .map(|digits| {
            digits.iter().fold(0_u32, |number, digit| {
                number
                    .saturating_mul(10)
                    .saturating_add(u32::from(digit.cast_unsigned() - b'0'))
            })
        });
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_release_is_compared_as_numbers() {
        assert!(kernel_is_at_least(2, 99));
        assert!(!kernel_is_at_least(999, 0));
    }
}
