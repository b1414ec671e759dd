//! From a spec to a running command: the best rung this machine allows, then the next one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};

use dogwatch_core::contract::Containment;
use nix::errno::Errno;
use nix::libc;

use super::child::{self, ChildEnds, Command, Tie};
use super::init::{Init, Work};
use super::last_line;
use super::report::{Received, Report, Reports};
use super::tree::{Hold, Tree};
use super::view::Viewed;
use crate::identity::{IdentityError, ProcessIdentity};
use crate::os::descriptors::{self, Pipe};
use crate::os::namespace::{Namespaces, Step};
use crate::os::pidfd::signal_exact;
use crate::record::Cause;
use crate::spec::{ShimSpec, WantedRung};

/// A command that was let go, and the shim's ends of its pipes.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) tree: Tree,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// Why the command was not executed arrives here; the end of the pipe means that it was.
    pub(super) error: OwnedFd,
    pub(super) fresh_proc: bool,
    /// Whether the number of its processes is limited.
    pub(super) limited: bool,
    /// Why the namespace that would have been preferred is not there.
    pub(super) rung_refused: Option<String>,
}

/// A command that could not be launched. No process of it is left.
#[derive(Debug)]
pub(super) struct NotLaunched {
    errno: i32,
    message: String,
    /// Whether it is the machine that lacks a means of holding the command.
    refused: bool,
}

/// Why an attempt came to nothing.
enum Failure {
    /// The machine does not allow this rung; another may do.
    Refused(NotLaunched),
    /// No rung would help.
    Fatal(NotLaunched),
}

impl Failure {
    fn fatal(what: &str, error: &io::Error) -> Self {
        Self::Fatal(NotLaunched::new(what, error))
    }

    fn refused(what: &str, error: &io::Error) -> Self {
        Self::Refused(NotLaunched::new(what, error))
    }

    fn into_inner(self) -> NotLaunched {
        match self {
            Self::Refused(reason) => NotLaunched {
                refused: true,
                ..reason
            },
            Self::Fatal(reason) => reason,
        }
    }
}

impl NotLaunched {
    fn new(what: &str, error: &io::Error) -> Self {
        Self {
            errno: error.raw_os_error().unwrap_or(0),
            message: format!("cannot {what}: {error}"),
            refused: false,
        }
    }

    /// What the record says about it.
    pub(super) fn into_cause(self, spec: &ShimSpec) -> Cause {
        match &spec.view {
            Some(view) if self.refused => Cause::ContainmentMissing {
                required: view.required,
                available: Containment::None,
                reasons: vec![self.message],
            },
            _ => Cause::SpawnFailed {
                errno: self.errno,
                message: self.message,
            },
        }
    }
}

/// Launches the spec's command.
pub(super) fn launch(spec: &ShimSpec) -> Result<Launched, NotLaunched> {
    let unprepared = |error: io::Error| NotLaunched::new("prepare the command", &error);
    if let Some(view) = &spec.view {
        // A view is made in a namespace or not at all: without one there is nothing to fall back on.
        if spec.rung == WantedRung::Subreaper {
            let error = io::Error::other("a view needs a PID namespace");
            return Err(Failure::refused("contain the command", &error).into_inner());
        }
        let viewed = Viewed::prepare(spec, view)
            .map_err(|error| Failure::refused("contain the command", &error).into_inner())?;
        return in_namespace(Work::InView(&viewed), spec.max_processes)
            .map_err(Failure::into_inner);
    }
    let command = Command::prepare(spec).map_err(unprepared)?;
    let in_namespace = || in_namespace(Work::Plain(&command), spec.max_processes);
    match spec.rung {
        WantedRung::Subreaper => below_shim(&command).map_err(Failure::into_inner),
        WantedRung::PidNamespace => in_namespace().map_err(Failure::into_inner),
        WantedRung::Auto => match in_namespace() {
            Ok(launched) => Ok(launched),
            Err(Failure::Fatal(reason)) => Err(reason),
            Err(Failure::Refused(refused)) => {
                let launched = below_shim(&command).map_err(Failure::into_inner)?;
                Ok(Launched {
                    rung_refused: Some(refused.message),
                    ..launched
                })
            }
        },
    }
}

/// The shim's ends of the pipes that every command has.
struct ShimEnds {
    stdout: OwnedFd,
    stderr: OwnedFd,
    go: File,
    error: OwnedFd,
}

fn pipes() -> io::Result<(ShimEnds, ChildEnds)> {
    let (stdout, stderr, go, error) = (Pipe::new()?, Pipe::new()?, Pipe::new()?, Pipe::new()?);
    for reader in [&stdout.reader, &stderr.reader, &error.reader] {
        descriptors::set_nonblocking(reader.as_fd())?;
    }
    let null = OpenOptions::new().read(true).open("/dev/null")?;
    let ours = ShimEnds {
        stdout: stdout.reader,
        stderr: stderr.reader,
        go: go.writer.into(),
        error: error.reader,
    };
    let theirs = ChildEnds {
        stdin: null.into(),
        stdout: stdout.writer,
        stderr: stderr.writer,
        go: go.reader,
        error: error.writer,
    };
    Ok((ours, theirs))
}

impl ShimEnds {
    /// Lets the waiting child become the command.
    fn let_go(mut self, tree: Tree, fresh_proc: bool) -> Launched {
        // If the child died meanwhile, its end arrives like any other.
        let _ = self.go.write_all(&[1]);
        Launched {
            tree,
            stdout: self.stdout,
            stderr: self.stderr,
            error: self.error,
            fresh_proc,
            limited: false,
            rung_refused: None,
        }
    }
}

fn below_shim(command: &Command) -> Result<Launched, Failure> {
    let (ours, theirs) = pipes().map_err(|error| Failure::fatal("make pipes", &error))?;
    // SAFETY: the shim has one thread, and the child leaves by exec or _exit.
    let main = match Errno::result(unsafe { libc::fork() }) {
        // SAFETY: this is the freshly forked child.
        Ok(0) => unsafe { child::become_command(command, &theirs, Tie::ParentDeath) },
        Ok(main) => main,
        Err(errno) => return Err(Failure::fatal("fork", &errno.into())),
    };
    drop(theirs);
    // The child waits, and it is not reaped before the tree is, so the pid is its own. Without `go` it would leave by itself.
    let main = identify(main)?;
    let shim = std::process::id().cast_signed();
    Ok(ours.let_go(Tree::new(Hold::Subreaper { shim }, main), false))
}

fn in_namespace(work: Work<'_>, max_processes: u32) -> Result<Launched, Failure> {
    let fatal = |error: io::Error| Failure::fatal("make pipes", &error);
    let (ours, theirs) = pipes().map_err(fatal)?;
    let orders = Pipe::new().map_err(fatal)?;
    let (reports, their_reports) = Reports::pair().map_err(fatal)?;
    let namespaces = Namespaces::for_this_user();
    let init = Init {
        namespaces: &namespaces,
        work,
        max_processes,
        ends: theirs,
        orders: orders.reader,
        reports: their_reports,
    };
    // SAFETY: the shim has one thread, and the child never returns from `run`.
    let forked = unsafe { namespaces.fork() }
        .map_err(|errno| Failure::refused("create a PID namespace", &errno.into()))?;
    let Some(pid) = forked else {
        // SAFETY: this is the freshly cloned child.
        unsafe { init.run() }
    };
    let complaints = init.complaints();
    drop(init);
    match handshake(pid, &reports, complaints) {
        Ok(Greeted {
            init,
            main,
            fresh_proc,
            limited,
        }) => {
            let hold = Hold::Namespace {
                init,
                orders: orders.writer.into(),
                reports,
            };
            Ok(Launched {
                limited,
                ..ours.let_go(Tree::new(hold, main), fresh_proc)
            })
        }
        Err(failure) => {
            bury(pid);
            Err(failure)
        }
    }
}

struct Greeted {
    init: ProcessIdentity,
    main: ProcessIdentity,
    fresh_proc: bool,
    limited: bool,
}

fn handshake(
    pid: i32,
    reports: &Reports,
    complaints: Option<&OwnedFd>,
) -> Result<Greeted, Failure> {
    let init = identify(pid)?;
    let next = || match reports.wait() {
        Ok(Some(received)) => Ok(received),
        Ok(None) => Err(Failure::refused(
            "set up the PID namespace",
            &io::Error::other("its first process ended"),
        )),
        Err(error) => Err(Failure::refused("set up the PID namespace", &error)),
    };
    let (mut fresh_proc, mut limited) = (false, false);
    loop {
        let Received { report, sender } = next()?;
        match report {
            Report::Entered { proc_errno } => fresh_proc = proc_errno == 0,
            Report::NotEntered { step, errno } => {
                let what = Step::of(step).map_or("enter the namespaces", Step::describe);
                return Err(Failure::refused(what, &io::Error::from_raw_os_error(errno)));
            }
            Report::Limited { errno } => limited = errno == 0,
            Report::NotBuilt => {
                let reason = io::Error::other(complaints.map(read).unwrap_or_default());
                return Err(Failure::refused("contain the command", &reason));
            }
            Report::NotForked { errno } => {
                return Err(Failure::fatal("fork", &io::Error::from_raw_os_error(errno)));
            }
            Report::Alive => {
                return Ok(Greeted {
                    init,
                    main: identify(sender)?,
                    fresh_proc,
                    limited,
                });
            }
            Report::MainEnded { .. } | Report::Contained { .. } => {
                return Err(Failure::fatal(
                    "start the command",
                    &io::Error::other("it ended before it began"),
                ));
            }
        }
    }
}

/// What was complained about, as one line. It is our own text and bubblewrap's.
fn read(complaints: &OwnedFd) -> String {
    let mut bytes = [0; 2048];
    let read = nix::sys::uio::pread(complaints, &mut bytes, 0).unwrap_or(0);
    let lines: Vec<String> = bytes[..read]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(last_line::printable)
        .collect();
    lines.join("; ")
}

fn identify(pid: i32) -> Result<ProcessIdentity, Failure> {
    ProcessIdentity::of_pid(pid).map_err(|error| {
        let reason = match error {
            IdentityError::Look { source, .. } => source,
            other => io::Error::other(other.to_string()),
        };
        Failure::fatal("identify the new process", &reason)
    })
}

/// Ends and reaps a first process that did not get as far as the command.
fn bury(pid: i32) {
    if let Ok(init) = ProcessIdentity::of_pid(pid) {
        let _ = signal_exact(init.pid, init.start_time, nix::sys::signal::Signal::SIGKILL);
    }
    // SAFETY: the null pointer says that the status is not wanted.
    while Errno::result(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }) == Err(Errno::EINTR)
    {
    }
}
