//! Signals that cannot reach the wrong process: a pidfd is opened first, then the start time is checked behind it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::proc;

/// A handle on one exact process.
#[derive(Debug)]
pub(crate) struct PidFd(OwnedFd);

impl PidFd {
    /// Opens the process with this pid, whoever it is now. `None` means that there is none.
    pub(crate) fn open(pid: i32) -> io::Result<Option<Self>> {
        // SAFETY: pidfd_open takes two integers and touches no memory of ours.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        match Errno::result(fd) {
            Ok(fd) => {
                let fd = i32::try_from(fd).map_err(io::Error::other)?;
                // SAFETY: the kernel just gave us this descriptor and nobody else knows it.
                Ok(Some(Self(unsafe { OwnedFd::from_raw_fd(fd) })))
            }
            Err(Errno::ESRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens exactly the process that had this pid and start time. `None` means that it is gone.
    pub(crate) fn open_exact(pid: i32, start_time: u64) -> io::Result<Option<Self>> {
        let Some(opened) = Self::open(pid)? else {
            return Ok(None);
        };
        // Checked after opening: if the times agree now, the handle holds that very process.
        match proc::stat(pid)? {
            Some(stat) if stat.start_time == start_time && stat.is_running() => Ok(Some(opened)),
            _ => Ok(None),
        }
    }

    /// Sends a signal. `false` means that the process is gone.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<bool> {
        // SAFETY: no siginfo is passed, so only integers cross.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal as libc::c_int,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        match Errno::result(sent) {
            Ok(_) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until the process has ended, reaped or not. `false` means that it still runs after `limit`.
    pub(crate) fn wait_ended(&self, limit: Duration) -> io::Result<bool> {
        let give_up = Instant::now() + limit;
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            // A millisecond more than asked, so that the last wait does not end just before the limit.
            let timeout = PollTimeout::try_from(left.as_millis().saturating_add(1))
                .unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Ok(0) if Instant::now() >= give_up => return Ok(false),
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Sends a signal to exactly this process. `false` means that it is gone.
pub(crate) fn signal_exact(pid: i32, start_time: u64, signal: Signal) -> io::Result<bool> {
    match PidFd::open_exact(pid, start_time)? {
        Some(process) => process.signal(signal),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn only_the_exact_process_is_signalled() {
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let start_time = proc::stat(pid).unwrap().unwrap().start_time;
        assert!(!signal_exact(pid, start_time + 1, Signal::SIGKILL).unwrap());
        let process = PidFd::open_exact(pid, start_time).unwrap().unwrap();
        assert!(!process.wait_ended(Duration::from_millis(1)).unwrap());
        assert!(signal_exact(pid, start_time, Signal::SIGKILL).unwrap());
        assert!(process.wait_ended(Duration::from_secs(30)).unwrap());
        // A zombie is gone for this purpose: it can no longer act.
        assert!(!signal_exact(pid, start_time, Signal::SIGKILL).unwrap());
        child.wait().unwrap();
        assert!(PidFd::open_exact(pid, start_time).unwrap().is_none());
    }
}
