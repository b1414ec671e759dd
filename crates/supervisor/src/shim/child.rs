//! The command's side between fork and exec.
//!
//! Everything it needs is prepared beforehand in [`Command`]; in between it only makes system calls.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;

use crate::os::{descriptors, limits, signals};
use crate::shim::report::Report;
use crate::spec::ShimSpec;

/// Where a command without a slash is looked up if the spec lists no `PATH`.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

/// A step of starting the command that can be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Step {
    Redirect = 1,
    Enter = 2,
    NoNewPrivileges = 3,
    Execute = 4,
    Privileges = 5,
    Verify = 6,
    Level = 7,
    Limits = 8,
}

impl Step {
    const fn of(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Redirect),
            2 => Some(Self::Enter),
            3 => Some(Self::NoNewPrivileges),
            4 => Some(Self::Execute),
            5 => Some(Self::Privileges),
            6 => Some(Self::Verify),
            7 => Some(Self::Level),
            8 => Some(Self::Limits),
            _ => None,
        }
    }
}

/// Why the command was not executed, as it comes through the error pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotExecuted {
    pub(super) step: Step,
    pub(super) errno: i32,
}

impl NotExecuted {
    pub(super) const LEN: usize = 8;

    fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (step, errno) = bytes.split_at_mut(4);
        step.copy_from_slice(&(self.step as i32).to_ne_bytes());
        errno.copy_from_slice(&self.errno.to_ne_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; Self::LEN]) -> Option<Self> {
        let [step, errno] = bytes.as_chunks::<4>().0 else {
            return None;
        };
        Some(Self {
            step: Step::of(i32::from_ne_bytes(*step))?,
            errno: i32::from_ne_bytes(*errno),
        })
    }

    /// Says so on the error pipe. Async-signal-safe.
    pub(super) fn send(self, fd: RawFd) {
        let bytes = self.to_bytes();
        // SAFETY: the buffer is valid for its length.
        unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// A sentence for a person who knows the spec.
    pub(super) fn describe(self, spec: &ShimSpec) -> String {
        let reason = io::Error::from_raw_os_error(self.errno);
        let command = spec
            .argv
            .first()
            .map_or(OsStr::new(""), |name| name.as_os_str());
        let command = command.display();
        match self.step {
            Step::Redirect => format!("cannot connect the command's pipes: {reason}"),
            Step::Enter => format!(
                "cannot enter the working directory `{}`: {reason}",
                spec.cwd.as_os_str().display()
            ),
            Step::NoNewPrivileges => format!("cannot give up gaining privileges: {reason}"),
            Step::Privileges => format!("cannot give up privileges: {reason}"),
            Step::Verify => format!("cannot verify that no privilege is left: {reason}"),
            Step::Level => "the containment is not what is required".to_owned(),
            Step::Limits => format!("cannot set the command's limits: {reason}"),
            Step::Execute if self.errno == libc::ENOENT => {
                format!("command `{command}` was not found: {reason}")
            }
            Step::Execute if self.errno == libc::EACCES => {
                format!("command `{command}` is not executable: {reason}")
            }
            Step::Execute => format!("command `{command}` cannot be executed: {reason}"),
        }
    }
}

/// A command ready to be executed without allocating.
#[derive(Debug)]
pub(super) struct Command {
    /// The files to try, in order.
    candidates: Vec<CString>,
    argv: Strings,
    env: Strings,
    cwd: CString,
}

/// Strings and the terminated table of pointers to them that exec wants.
#[derive(Debug)]
struct Strings {
    _owned: Vec<CString>,
    table: Vec<*const libc::c_char>,
}

impl Strings {
    fn new(owned: Vec<CString>) -> Self {
        // A CString's bytes stay where they are when the CString itself moves.
        let table = owned
            .iter()
            .map(|text| text.as_ptr())
            .chain([std::ptr::null()])
            .collect();
        Self {
            _owned: owned,
            table,
        }
    }
}

impl Command {
    /// Prepares a validated spec's command.
    pub(super) fn prepare(spec: &ShimSpec) -> io::Result<Self> {
        let program = spec.argv.first().map_or(&b""[..], |name| name.as_bytes());
        let path = spec
            .env
            .iter()
            .find(|variable| variable.name.as_bytes() == b"PATH")
            .map_or(DEFAULT_PATH, |variable| variable.value.as_bytes());
        let argv = spec.argv.iter().map(|text| text.as_bytes());
        let env = spec
            .env
            .iter()
            .map(|variable| [variable.name.as_bytes(), variable.value.as_bytes()].join(&b'='));
        Ok(Self {
            candidates: c_strings(candidates(program, path).into_iter())?,
            argv: Strings::new(c_strings(argv)?),
            env: Strings::new(c_strings(env)?),
            cwd: CString::new(spec.cwd.as_bytes())?,
        })
    }
}

fn c_strings<T: Into<Vec<u8>>>(texts: impl Iterator<Item = T>) -> io::Result<Vec<CString>> {
    texts.map(|text| Ok(CString::new(text)?)).collect()
}

/// A name with a slash is a file; any other is looked up. Relative and empty directories of `PATH` are passed over, for they would
/// mean the working directory, which untrusted code writes.
fn candidates(program: &[u8], path: &[u8]) -> Vec<Vec<u8>> {
    if program.contains(&b'/') {
        return vec![program.to_vec()];
    }
    path.split(|byte| *byte == b':')
        .filter(|directory| directory.starts_with(b"/"))
        .map(|directory| [directory, program].join(&b'/'))
        .collect()
}

/// The descriptors of the command's child.
#[derive(Debug)]
pub(super) struct ChildEnds {
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// One byte here lets the child go on; the end of the pipe means that the shim is gone.
    pub(super) go: OwnedFd,
    /// Why the command was not executed goes here; exec closes it.
    pub(super) error: OwnedFd,
}

impl ChildEnds {
    pub(super) fn raw(&self) -> [RawFd; 5] {
        [
            &self.stdin,
            &self.stdout,
            &self.stderr,
            &self.go,
            &self.error,
        ]
        .map(|fd| fd.as_raw_fd())
    }
}

/// How the child is tied to its parent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tie {
    /// It says on this socket that it is alive; its namespace ties it.
    Report(RawFd),
    /// It dies with the process that forked it.
    ParentDeath,
}

/// Becomes the command. Async-signal-safe.
///
/// # Safety
/// Only for a freshly forked child: it closes every descriptor it does not need, whoever owns it.
pub(super) unsafe fn become_command(command: &Command, ends: &ChildEnds, tie: Tie) -> ! {
    let mut keep = [-1; 6];
    keep[..5].copy_from_slice(&ends.raw());
    if let Tie::Report(fd) = tie {
        keep[5] = fd;
    }
    keep.sort_unstable();
    // SAFETY: this process leaves by exec or _exit, so no owner of a closed descriptor is used or dropped any more.
    unsafe { descriptors::close_all_except(&keep) };
    signals::reset_for_exec();
    // SAFETY: these take integers only. A session of its own keeps `kill 0` and terminal signals away from the shim.
    unsafe {
        libc::setsid();
        match tie {
            Tie::Report(fd) => Report::Alive.send(fd),
            Tie::ParentDeath => {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
            }
        }
    }
    if !wait_for_go(ends.go.as_raw_fd()) {
        // SAFETY: leaves without running anything of the copied process.
        unsafe { libc::_exit(127) }
    }
    execute(command, ends).send(ends.error.as_raw_fd());
    // SAFETY: leaves without running anything of the copied process.
    unsafe { libc::_exit(127) }
}

/// Waits for one byte. `false` means that nobody is left to send it. Async-signal-safe.
pub(super) fn wait_for_go(fd: RawFd) -> bool {
    let mut byte = 0_u8;
    loop {
        // SAFETY: the buffer is one byte.
        let got = unsafe { libc::read(fd, (&raw mut byte).cast(), 1) };
        if got >= 0 || Errno::last() != Errno::EINTR {
            return got == 1;
        }
    }
}

/// Returns only if the command could not be executed. Async-signal-safe.
pub(super) fn execute(command: &Command, ends: &ChildEnds) -> NotExecuted {
    let last = |step| NotExecuted {
        step,
        errno: Errno::last_raw(),
    };
    for (from, to) in [(&ends.stdin, 0), (&ends.stdout, 1), (&ends.stderr, 2)] {
        // SAFETY: dup2 takes integers; the copies are not closed on exec.
        if unsafe { libc::dup2(from.as_raw_fd(), to) } < 0 {
            return last(Step::Redirect);
        }
    }
    // SAFETY: the path is a terminated string.
    if unsafe { libc::chdir(command.cwd.as_ptr()) } < 0 {
        return last(Step::Enter);
    }
    // No descendant may become somebody whom this user cannot signal.
    // SAFETY: this prctl takes integers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } < 0 {
        return last(Step::NoNewPrivileges);
    }
    if limits::apply().is_err() {
        return last(Step::Limits);
    }
    descriptors::close_all_on_exec();
    let mut refused = libc::ENOENT;
    for file in &command.candidates {
        // SAFETY: the file is a terminated string, the tables are terminated by null, and all of them outlive the call.
        unsafe {
            libc::execve(
                file.as_ptr(),
                command.argv.table.as_ptr(),
                command.env.table.as_ptr(),
            )
        };
        match Errno::last_raw() {
            libc::ENOENT | libc::ENOTDIR => {}
            // Remembered, for a later directory may hold one that may be executed.
            libc::EACCES => refused = libc::EACCES,
            errno => {
                return NotExecuted {
                    step: Step::Execute,
                    errno,
                };
            }
        }
    }
    NotExecuted {
        step: Step::Execute,
        errno: refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_directories_are_searched() {
        let found = candidates(b"tool", b"/usr/bin::relative:/bin:.");
        assert_eq!(found, [b"/usr/bin/tool".to_vec(), b"/bin/tool".to_vec()]);
        assert_eq!(candidates(b"./tool", b"/bin"), [b"./tool".to_vec()]);
        assert!(candidates(b"tool", b"").is_empty());
    }

    #[test]
    fn failures_cross_the_pipe() {
        for step in [
            Step::Redirect,
            Step::Enter,
            Step::NoNewPrivileges,
            Step::Execute,
            Step::Privileges,
            Step::Verify,
            Step::Level,
            Step::Limits,
        ] {
            let failure = NotExecuted { step, errno: 13 };
            assert_eq!(NotExecuted::from_bytes(failure.to_bytes()), Some(failure));
        }
        assert_eq!(NotExecuted::from_bytes([9; 8]), None);
    }
}
