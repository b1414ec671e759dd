//! The two calls of the C library, which every Rust program is linked with, that the standard library does not offer.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

const SIGTERM: i32 = 15;
const SIG_IGN: usize = 1;
const SIG_ERR: usize = usize::MAX;

unsafe extern "C" {
    fn signal(signal: i32, handler: usize) -> usize;
    safe fn setsid() -> i32;
}

/// From now on SIGTERM does nothing, in this process and in those it starts.
pub(crate) fn ignore_sigterm() -> io::Result<()> {
    // SAFETY: SIG_IGN is no function, so nothing of ours runs when the signal comes.
    if unsafe { signal(SIGTERM, SIG_IGN) } == SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Leaves a command running that is nobody's child and in nobody's session; answers how the process in between ended.
pub(crate) fn spawn_daemon(command: &mut Command) -> io::Result<ExitStatus> {
    command.stdin(Stdio::null());
    // SAFETY: between fork and exec only setsid is called, which is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            if setsid() == -1 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
    command.status()
}
