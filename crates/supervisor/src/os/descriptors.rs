//! Descriptors: pipes, what is waiting in them, and closing everything that is not needed.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::unistd::pipe2;

/// The two ends of a pipe, both closed on exec.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) reader: OwnedFd,
    pub(crate) writer: OwnedFd,
}

impl Pipe {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        Ok(Self { reader, writer })
    }
}

/// Makes reads and writes on this end return instead of waiting.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// How many bytes can be read from a pipe right now.
pub(crate) fn waiting_bytes(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int through the pointer, which is valid for it.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    Errno::result(result)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Marks every descriptor from 3 on as closed on exec, whoever opened it. Async-signal-safe.
pub(crate) fn close_all_on_exec() {
    // SAFETY: close_range with this flag only sets a flag on descriptors. Where the kernel lacks it, ours carry the flag already.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3_u32,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
}

/// Closes every descriptor from 3 on that is not listed, which must be sorted.
///
/// # Safety
/// Nothing may use or drop an owner of a closed descriptor afterwards.
pub(crate) unsafe fn close_all_except(sorted: &[RawFd]) {
    let close = |from: u32, to: u32| {
        if from <= to {
            // SAFETY: the caller promises that nothing uses these descriptors any more.
            unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) };
        }
    };
    let mut from = 3;
    for fd in sorted.iter().filter_map(|fd| u32::try_from(*fd).ok()) {
        if fd >= from {
            close(from, fd.wrapping_sub(1));
            from = fd + 1;
        }
    }
    close(from, u32::MAX);
}
