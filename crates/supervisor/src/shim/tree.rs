//! The process tree of the command: who is in it, how it is asked and killed, and when it is gone.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;

use super::init;
use super::report::{Report, Reports, Taken};
use crate::containment::Layers;
use crate::identity::ProcessIdentity;
use crate::os::pidfd::signal_exact;
use crate::os::proc::{self, Stat};
use crate::record::{Leftovers, MainStatus, Rung};
use crate::shim::last_line;

/// How many leftovers are named.
const NAMED: usize = 10;

/// How the tree is held.
#[derive(Debug)]
pub(super) enum Hold {
    /// By the first process of its own namespace.
    Namespace {
        init: ProcessIdentity,
        orders: File,
        reports: Reports,
    },
    /// By the shim, which adopts orphans.
    Subreaper { shim: i32 },
}

/// The running tree.
#[derive(Debug)]
pub(super) struct Tree {
    hold: Hold,
    main: ProcessIdentity,
    main_ended: Option<MainEnd>,
    /// What the stage of a view said before it became the command.
    contained: Option<(Layers, u32)>,
    /// The namespace's first process says nothing more.
    silent: bool,
    empty: bool,
}

/// What is known about the end of the main process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MainEnd {
    Known(MainStatus),
    /// The namespace's first process died before it could say.
    Unknown,
}

impl Tree {
    pub(super) fn new(hold: Hold, main: ProcessIdentity) -> Self {
        Self {
            hold,
            main,
            main_ended: None,
            contained: None,
            silent: false,
            empty: false,
        }
    }

    pub(super) const fn rung(&self) -> Rung {
        match self.hold {
            Hold::Namespace { .. } => Rung::PidNamespace,
            Hold::Subreaper { .. } => Rung::Subreaper,
        }
    }

    pub(super) const fn main(&self) -> &ProcessIdentity {
        &self.main
    }

    /// The process whose end takes the others with it, as far as there is one.
    pub(super) const fn root(&self) -> &ProcessIdentity {
        match &self.hold {
            Hold::Namespace { init, .. } => init,
            Hold::Subreaper { .. } => &self.main,
        }
    }

    pub(super) const fn main_ended(&self) -> Option<MainEnd> {
        self.main_ended
    }

    /// Whether no process of the tree is left, as confirmed by the kernel.
    pub(super) const fn is_empty(&self) -> bool {
        self.empty
    }

    /// The layers that hold the command and its user, once it has begun in a view.
    pub(super) const fn contained(&self) -> Option<(Layers, u32)> {
        self.contained
    }

    /// The descriptor on which the end of the main process is told, if it is not by a signal.
    pub(super) fn reports_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.hold {
            Hold::Namespace { reports, .. } if !self.silent => Some(reports.as_fd()),
            Hold::Namespace { .. } | Hold::Subreaper { .. } => None,
        }
    }

    /// Takes note of whatever ended.
    pub(super) fn reap(&mut self) -> io::Result<()> {
        let mut init_ended = false;
        while !self.empty {
            let mut status = 0;
            // SAFETY: the status is a valid place for one int.
            match Errno::result(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) }) {
                Ok(0) => break,
                Ok(pid) if pid == self.main.pid => {
                    self.main_ended = Some(MainEnd::Known(main_status(status)));
                }
                Ok(pid) => init_ended |= pid == self.root().pid,
                // No children: whoever would have been orphaned would have become one.
                Err(Errno::ECHILD) => self.empty = true,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Hold::Namespace { reports, .. } = &self.hold {
            // Read after waiting: what the first process said before it ended is there now.
            while !self.silent {
                match reports.take()? {
                    Taken::Message(received) => match received.report {
                        Report::MainEnded { status } => {
                            self.main_ended = Some(MainEnd::Known(main_status(status)));
                        }
                        Report::Contained { layers, uid } => {
                            let layers = Layers::from_number(layers);
                            self.contained = Some((layers, uid.cast_unsigned()));
                        }
                        _ => {}
                    },
                    Taken::Nothing => break,
                    Taken::Closed => self.silent = true,
                }
            }
            // The kernel lets the first process be reaped only after everything else in the namespace is gone.
            self.empty |= init_ended;
        }
        if self.empty && self.main_ended.is_none() {
            self.main_ended = Some(MainEnd::Unknown);
        }
        Ok(())
    }

    /// The processes of the tree that run besides the main one.
    fn others(&self) -> io::Result<Vec<Stat>> {
        if self.empty {
            return Ok(Vec::new());
        }
        let root = match &self.hold {
            Hold::Namespace { init, .. } => init.pid,
            Hold::Subreaper { shim } => *shim,
        };
        let mut others = proc::descendants(root)?;
        others.retain(|stat| stat.is_running() && stat.pid != self.main.pid);
        Ok(others)
    }

    /// Counts and names the processes that run besides the main one.
    pub(super) fn leftovers(&self) -> Leftovers {
        match self.others() {
            Ok(others) => Leftovers {
                count: others.len() as u64,
                names: others
                    .iter()
                    .take(NAMED)
                    .map(|stat| last_line::printable(&stat.comm))
                    .collect(),
                unknown: None,
            },
            Err(error) => Leftovers {
                unknown: Some(error.to_string()),
                ..Leftovers::default()
            },
        }
    }

    /// Asks every process to end.
    pub(super) fn ask(&mut self) -> io::Result<()> {
        match &mut self.hold {
            // A first process that is gone needs no asking.
            Hold::Namespace { orders, .. } => match orders.write_all(&[init::ASK]) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
                _ => Ok(()),
            },
            Hold::Subreaper { shim } => {
                // A stopped process is continued so that it can act.
                signal_below(*shim, &[Signal::SIGTERM, Signal::SIGCONT])
            }
        }
    }

    /// Kills every process it can see. Without a namespace this is repeated until none is left.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        match &self.hold {
            Hold::Namespace { init, .. } => {
                signal_exact(init.pid, init.start_time, Signal::SIGKILL).map(drop)
            }
            Hold::Subreaper { shim } => signal_below(*shim, &[Signal::SIGKILL]),
        }
    }

    /// Whether killing once is enough.
    pub(super) const fn dies_at_once(&self) -> bool {
        matches!(self.hold, Hold::Namespace { .. })
    }
}

/// Signals each process below `root` by pid and start time. One that cannot be signalled does not keep the others from it.
fn signal_below(root: i32, signals: &[Signal]) -> io::Result<()> {
    let mut outcome = Ok(());
    for stat in proc::descendants(root)? {
        for signal in signals {
            if let Err(error) = signal_exact(stat.pid, stat.start_time, *signal) {
                outcome = Err(error);
            }
        }
    }
    outcome
}

fn main_status(status: i32) -> MainStatus {
    if libc::WIFSIGNALED(status) {
        MainStatus::Signalled(libc::WTERMSIG(status))
    } else {
        MainStatus::Exited(libc::WEXITSTATUS(status))
    }
}
