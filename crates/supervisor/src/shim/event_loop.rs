//! The shim's one loop: it waits for whatever comes first and acts in a fixed order.
//!
//! News from the tree and its pipes is taken before any clock is judged, so that a shim that slept does not call a command that ended
//! meanwhile a stalled one.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use dogwatch_core::frame::Stream;
use dogwatch_core::{Clock as _, Timestamp};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use super::capture::Capture;
use super::child::{NotExecuted, Step};
use super::clocks::{Clocks, Fence};
use super::control::Control;
use super::launch::Launched;
use super::stop::{self, Ladder};
use super::tree::{MainEnd, Tree};
use crate::containment::Layers;
use crate::control::{OutputProgress, Request, Started};
use crate::os::clock::SystemClock;
use crate::record::{Cause, Leftovers, MainStatus};
use crate::spec::ShimSpec;

/// Everything the loop turns around.
pub(super) struct EventLoop<'a> {
    pub(super) spec: &'a ShimSpec,
    pub(super) signals: &'a SignalFd,
    pub(super) fence: &'a mut Fence,
    pub(super) capture: &'a mut Capture,
    pub(super) control: &'a mut Control,
    pub(super) started_at: Timestamp,
    pub(super) clocks: Clocks,
}

/// How the tree ended.
pub(super) struct Outcome {
    pub(super) cause: Cause,
    pub(super) main_status: Option<MainStatus>,
    pub(super) leftovers: Leftovers,
    pub(super) pipes_left_open: bool,
    /// Whether the command itself was ever executed.
    pub(super) executed: bool,
    /// The layers that held it in its view, and its user.
    pub(super) contained: Option<(Layers, u32)>,
}

/// Whether the command has replaced the shim's child yet.
enum Execution {
    Pending(File),
    Done,
    Failed,
}

struct Turning {
    tree: Tree,
    ladder: Ladder,
    execution: Execution,
    main_end_seen: bool,
}

impl EventLoop<'_> {
    /// Turns until the tree is gone and its output is stored.
    pub(super) fn run(mut self, launched: Launched) -> io::Result<Outcome> {
        self.capture.attach(launched.stdout, launched.stderr);
        let mut turning = Turning {
            tree: launched.tree,
            ladder: Ladder::new(Duration::from_millis(self.spec.grace_ms)),
            execution: Execution::Pending(launched.error.into()),
            main_end_seen: false,
        };
        while !turning.tree.is_empty() {
            let turned = self
                .wait(&turning)
                .and_then(|ready| self.turn(&mut turning, ready));
            if let Err(error) = turned {
                // The shim cannot go on, but it does not leave the tree behind.
                stop::end_by_force(&mut turning.tree);
                return Err(error);
            }
        }
        self.finish(turning)
    }

    /// Waits for news or for the next moment at which something is due. Returns which of the pipes have news.
    fn wait(&self, turning: &Turning) -> io::Result<[bool; 2]> {
        let mut fds = Vec::with_capacity(16);
        let mut pipes = [None; 2];
        for stream in Stream::ALL {
            if let Some(pipe) = self.capture.pipe(stream) {
                pipes[stream.index()] = Some(fds.len());
                fds.push(PollFd::new(pipe, PollFlags::POLLIN));
            }
        }
        fds.push(PollFd::new(self.signals.as_fd(), PollFlags::POLLIN));
        fds.push(PollFd::new(self.fence.as_fd(), PollFlags::POLLIN));
        if let Some(reports) = turning.tree.reports_fd() {
            fds.push(PollFd::new(reports, PollFlags::POLLIN));
        }
        if let Execution::Pending(pipe) = &turning.execution {
            fds.push(PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
        }
        for (fd, flags) in self.control.interests() {
            fds.push(PollFd::new(fd, flags));
        }
        match poll(&mut fds, self.timeout(&turning.ladder)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(pipes.map(|place| place.and_then(|place| fds[place].any()).unwrap_or_default()))
    }

    fn timeout(&self, ladder: &Ladder) -> PollTimeout {
        let clocks = (!ladder.has_begun()).then(|| self.clocks.next());
        let due = [
            clocks,
            ladder.next(),
            self.capture.next(),
            self.control.next(),
        ];
        let Some(due) = due.into_iter().flatten().min() else {
            return PollTimeout::NONE;
        };
        let left = due.saturating_duration_since(Instant::now());
        // Rounded up, so that the loop does not wake just before the moment.
        let millis = left.as_nanos().div_ceil(1_000_000);
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    }

    fn turn(&mut self, turning: &mut Turning, ready: [bool; 2]) -> io::Result<()> {
        let mut failed = None;
        for stream in Stream::ALL {
            if !ready[stream.index()] {
                continue;
            }
            let now = Instant::now();
            let before = self.capture.last_output_at();
            if let Err(error) = self.capture.read(stream, now) {
                failed = Some(error);
            }
            if self.capture.last_output_at() != before {
                self.clocks.output(now);
                self.control.progress(progress(self.capture), now);
            }
        }
        let asked_by_signal = self.read_signals()?;
        turning.tree.reap()?;
        let now = Instant::now();
        self.check_execution(turning, now)?;
        if !turning.main_end_seen
            && let Some(end) = turning.tree.main_ended()
        {
            turning.main_end_seen = true;
            turning
                .ladder
                .main_ended(cause_of(end), &mut turning.tree, now);
        }
        if asked_by_signal {
            let reason = "signal".to_owned();
            turning
                .ladder
                .end(Cause::Stopped { reason }, &mut turning.tree, now);
        }
        self.obey(turning, now)?;
        if self.fence.passed() {
            // Somebody else may run the job once the lease is over, so there is no time for a grace.
            turning
                .ladder
                .end_now(Cause::Fenced, &mut turning.tree, now);
            self.fence.disarm()?;
        }
        if !turning.ladder.has_begun()
            && let Some(cause) = self.clocks.expired(now)
        {
            turning.ladder.end(cause, &mut turning.tree, now);
        }
        if let Err(error) = self.capture.advance(now) {
            failed = Some(error);
        }
        if let Some(error) = failed {
            turning
                .ladder
                .end(capture_failed(&error), &mut turning.tree, now);
        }
        turning.ladder.advance(&mut turning.tree, now);
        self.control.advance(now);
        Ok(())
    }

    /// Empties the signal descriptor. `true` means that one of them asks for the end.
    fn read_signals(&self) -> io::Result<bool> {
        let mut asked = false;
        while let Some(info) = self.signals.read_signal()? {
            asked |= info.ssi_signo != (Signal::SIGCHLD as u32);
        }
        Ok(asked)
    }

    fn check_execution(&mut self, turning: &mut Turning, now: Instant) -> io::Result<()> {
        let Execution::Pending(pipe) = &mut turning.execution else {
            return Ok(());
        };
        let mut bytes = [0; NotExecuted::LEN];
        // A message this short arrives whole or not at all.
        match pipe.read(&mut bytes) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
            Ok(0) => {
                turning.execution = Execution::Done;
                self.control.started(Started {
                    at: self.started_at,
                    main: turning.tree.main().clone(),
                    root: turning.tree.root().clone(),
                    rung: turning.tree.rung(),
                });
            }
            Ok(_) => {
                turning.execution = Execution::Failed;
                let cause = match NotExecuted::from_bytes(bytes) {
                    Some(NotExecuted {
                        step: Step::Level,
                        errno,
                    }) => self.level_missed(Layers::from_number(errno)),
                    Some(failure) => Cause::SpawnFailed {
                        errno: failure.errno,
                        message: failure.describe(self.spec),
                    },
                    None => Cause::SpawnFailed {
                        errno: 0,
                        message: "the command failed to start for an unknown reason".to_owned(),
                    },
                };
                turning.ladder.end(cause, &mut turning.tree, now);
            }
        }
        Ok(())
    }

    fn level_missed(&self, layers: Layers) -> Cause {
        let (required, network) = self
            .spec
            .view
            .as_ref()
            .map(|view| (view.required, view.network))
            .unwrap_or_default();
        let (available, reasons) = layers.level(network);
        Cause::ContainmentMissing {
            required,
            available,
            reasons,
        }
    }

    fn obey(&mut self, turning: &mut Turning, now: Instant) -> io::Result<()> {
        for request in self.control.serve() {
            match request {
                Request::Stop { reason } => {
                    turning
                        .ladder
                        .end(Cause::Stopped { reason }, &mut turning.tree, now);
                }
                Request::Kill {} => {
                    let reason = "kill".to_owned();
                    turning
                        .ladder
                        .end_now(Cause::Stopped { reason }, &mut turning.tree, now);
                }
                Request::Deadline { boottime_ns } => self.fence.set(boottime_ns)?,
            }
        }
        Ok(())
    }

    /// The tree is gone: takes what is left in the pipes and closes the capture.
    fn finish(self, turning: Turning) -> io::Result<Outcome> {
        let now = Instant::now();
        let drained = self.capture.drain(now);
        let finished = self.capture.finish(now);
        if self.capture.last_output_at().is_some() {
            self.control.progress(progress(self.capture), now);
        }
        let executed = matches!(turning.execution, Execution::Done);
        let main_status = match turning.tree.main_ended() {
            Some(MainEnd::Known(status)) if executed => Some(status),
            _ => None,
        };
        let (cause, leftovers) = turning.ladder.outcome();
        let pipes_left_open = drained.as_ref().is_ok_and(|left_open| *left_open);
        let cause = match drained.map(drop).and(finished) {
            Ok(()) => cause.unwrap_or(Cause::Lost),
            // Evidence that could not be stored outweighs how the command ended.
            Err(error) => capture_failed(&error),
        };
        Ok(Outcome {
            cause,
            main_status,
            leftovers,
            pipes_left_open,
            executed,
            contained: turning.tree.contained(),
        })
    }
}

const fn cause_of(end: MainEnd) -> Cause {
    match end {
        MainEnd::Known(MainStatus::Exited(code)) => Cause::Exited { code },
        MainEnd::Known(MainStatus::Signalled(signal)) => Cause::Signalled { signal },
        MainEnd::Unknown => Cause::Lost,
    }
}

fn capture_failed(error: &io::Error) -> Cause {
    Cause::CaptureFailed {
        message: format!("cannot store the command's output: {error}"),
    }
}

fn progress(capture: &Capture) -> OutputProgress {
    OutputProgress {
        at: capture
            .last_output_at()
            .unwrap_or_else(|| SystemClock.now()),
        stdout: capture.counts(Stream::Stdout).seen,
        stderr: capture.counts(Stream::Stderr).seen,
        last_line: capture.last_line(),
    }
}
