//! Signals as data for the poll loops, and a clean slate for commands.

use std::io;

use nix::libc;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Blocks the given signals and returns the descriptor on which they arrive instead.
pub(crate) fn receive(signals: &[Signal]) -> io::Result<SignalFd> {
    let mask: SigSet = signals.iter().copied().collect();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), None)?;
    Ok(SignalFd::with_flags(
        &mask,
        SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
    )?)
}

/// Ignores a signal in this process.
pub(crate) fn ignore(ignored: Signal) -> io::Result<()> {
    // SAFETY: ignoring a signal installs no handler.
    unsafe { signal(ignored, SigHandler::SigIgn) }?;
    Ok(())
}

/// Gives a command the signal state a fresh login would: nothing ignored, nothing blocked. Async-signal-safe.
pub(crate) fn reset_for_exec() {
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: the default disposition installs no handler. The few signals that refuse it keep it anyway.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    // SAFETY: the set lives on the stack and is initialised by sigemptyset before it is read.
    unsafe {
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}
