//! The first process of a namespace: it starts the command, reaps everything, and its end is the end of the tree.
//!
//! It is the shim's own image continued after the clone. It dies with the shim in two ways, so that one suffices: the parent-death
//! signal, and the end of the pipe on which the shim speaks to it.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use super::child::{self, ChildEnds, Command, Tie};
use super::report::Report;
use super::view::{self, Viewed};
use crate::os::namespace::{self, Namespaces};
use crate::os::{descriptors, limits, signals};

/// The byte that asks every process of the namespace to end.
pub(super) const ASK: u8 = b'T';

/// How the command is started.
#[derive(Debug)]
pub(super) enum Work<'a> {
    /// With the machine as it is.
    Plain(&'a Command),
    /// In a view.
    InView(&'a Viewed<'a>),
}

/// What the first process works with.
#[derive(Debug)]
pub(super) struct Init<'a> {
    pub(super) namespaces: &'a Namespaces,
    pub(super) work: Work<'a>,
    /// How many processes the namespace may hold.
    pub(super) max_processes: u32,
    pub(super) ends: ChildEnds,
    /// Where the shim speaks.
    pub(super) orders: OwnedFd,
    /// Where the shim listens.
    pub(super) reports: OwnedFd,
}

impl<'a> Init<'a> {
    /// Where it is told why a view could not be made.
    pub(super) fn complaints(&self) -> Option<&'a OwnedFd> {
        match self.work {
            Work::Plain(_) => None,
            Work::InView(viewed) => Some(&viewed.complaints),
        }
    }

    /// Runs as the first process.
    ///
    /// # Safety
    /// Only for a freshly cloned child of a single-threaded process: it closes every descriptor it does not need.
    pub(super) unsafe fn run(self) -> ! {
        let (orders, reports) = (self.orders.as_raw_fd(), self.reports.as_raw_fd());
        let mut keep = [-1; 9];
        keep[..5].copy_from_slice(&self.ends.raw());
        keep[5] = orders;
        keep[6] = reports;
        if let Work::InView(viewed) = &self.work {
            keep[7..].copy_from_slice(&viewed.raw());
        }
        keep.sort_unstable();
        // SAFETY: this process never returns to the frames that own the closed descriptors.
        unsafe { descriptors::close_all_except(&keep) };
        // A panic must not unwind into the copy of the shim's frames.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.hold()));
        exit(i32::from(outcome.is_err()))
    }

    fn hold(self) {
        let (orders, reports) = (self.orders.as_raw_fd(), self.reports.as_raw_fd());
        if let Err(refused) = self.namespaces.enter() {
            Report::NotEntered {
                step: refused.step as i32,
                errno: refused.errno as i32,
            }
            .send(reports);
            return;
        }
        // After entering, for a change of credentials clears the parent-death signal. Should the shim be gone already, the pipe says so.
        // SAFETY: these take integers and terminated strings only.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
            libc::prctl(libc::PR_SET_NAME, c"dogwatch-init".as_ptr(), 0, 0, 0);
            libc::setsid();
        }
        let proc_errno = namespace::mount_fresh_proc().map_or_else(|errno| errno as i32, |()| 0);
        Report::Entered { proc_errno }.send(reports);
        if proc_errno == 0 {
            // The record says whether it worked.
            let limited = limits::limit_namespace(self.max_processes);
            Report::Limited {
                errno: limited.map_or_else(|errno| errno as i32, |()| 0),
            }
            .send(reports);
        }

        let Ok(ended) = signals::receive(&[Signal::SIGCHLD]) else {
            return;
        };
        let Some(main) = self.start(&ended) else {
            return;
        };
        // The command alone holds its pipes now, so that their end is seen.
        drop(self.ends);
        let mut main_ended = false;
        loop {
            if reap(main, reports, &mut main_ended) {
                return;
            }
            let mut fds = [
                PollFd::new(self.orders.as_fd(), PollFlags::POLLIN),
                PollFd::new(ended.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(_) => return,
            }
            let spoken = fds[0].any().unwrap_or(true);
            while ended.read_signal().ok().flatten().is_some() {}
            if spoken && !obey(orders) {
                return;
            }
        }
    }
}

impl Init<'_> {
    /// Starts the command up to where it waits to be let go. What went wrong has been reported.
    fn start(&self, ended: &SignalFd) -> Option<i32> {
        let reports = self.reports.as_raw_fd();
        match &self.work {
            Work::InView(viewed) => {
                let main = view::start(viewed, &self.ends, reports, ended, &self.orders);
                if main.is_err() {
                    Report::NotBuilt.send(reports);
                }
                // Nothing of this process is for the command to look into.
                // SAFETY: this prctl takes integers only.
                unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
                main.ok()
            }
            // SAFETY: this process has one thread, and the child leaves by exec or _exit.
            Work::Plain(command) => match Errno::result(unsafe { libc::fork() }) {
                // SAFETY: this is the freshly forked child.
                Ok(0) => unsafe {
                    child::become_command(command, &self.ends, Tie::Report(reports))
                },
                Ok(main) => Some(main),
                Err(errno) => {
                    let errno = errno as i32;
                    Report::NotForked { errno }.send(reports);
                    None
                }
            },
        }
    }
}

/// Reaps whatever ended. `true` means that the command and everything it left behind is gone.
fn reap(main: i32, reports: RawFd, main_ended: &mut bool) -> bool {
    loop {
        let mut status = 0;
        // SAFETY: the status is a valid place for one int.
        match Errno::result(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) }) {
            Ok(0) => return false,
            Ok(pid) if pid == main => {
                *main_ended = true;
                Report::MainEnded { status }.send(reports);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return *main_ended,
        }
    }
}

/// Acts on what the shim said. `false` means that the shim is gone.
fn obey(orders: RawFd) -> bool {
    let mut order = 0_u8;
    // SAFETY: the buffer is one byte.
    match Errno::result(unsafe { libc::read(orders, (&raw mut order).cast(), 1) }) {
        Ok(1) => {
            if order == ASK {
                // From the first process, -1 is exactly the rest of the namespace. A stopped process is continued so that it can act.
                // SAFETY: kill takes integers only.
                unsafe {
                    libc::kill(-1, libc::SIGTERM);
                    libc::kill(-1, libc::SIGCONT);
                }
            }
            true
        }
        Err(Errno::EINTR) => true,
        _ => false,
    }
}

fn exit(code: i32) -> ! {
    // SAFETY: leaves without running anything of the copied process; the kernel then kills the rest of the namespace.
    unsafe { libc::_exit(code) }
}
