//! The start of a command in a view.
//!
//! The first process builds the view and forks bubblewrap, which makes it and executes our own stage in it. The stage reports; then
//! bubblewrap's other process, which would only wait, is ended, so that the stage becomes a child of the first process and no program
//! that is not the command's runs beside it.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signalfd::SignalFd;

use super::build::{BuildError, build};
use crate::containment::View;
use crate::os::{bwrap, descriptors, signals};
use crate::shim::child::ChildEnds;
use crate::shim::report::{Report, Reports, Taken};
use crate::shim::stage::{Fds, Plan, STAGE_ARGUMENT};
use crate::spec::ShimSpec;

/// What the shim prepares for a command in a view.
#[derive(Debug)]
pub(in crate::shim) struct Viewed<'a> {
    pub(in crate::shim) spec: &'a ShimSpec,
    pub(in crate::shim) view: &'a View,
    /// Where bubblewrap is. Found outside the namespaces: inside a user namespace root is nobody, and owns nothing.
    wrapper: PathBuf,
    /// This program, which the view may not show.
    pub(in crate::shim) program: OwnedFd,
    /// Where it is written why a view could not be made, also by bubblewrap.
    pub(in crate::shim) complaints: OwnedFd,
}

impl<'a> Viewed<'a> {
    pub(in crate::shim) fn prepare(spec: &'a ShimSpec, view: &'a View) -> io::Result<Self> {
        let program = nix::fcntl::open(
            "/proc/self/exe",
            nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC,
            nix::sys::stat::Mode::empty(),
        )?;
        Ok(Self {
            spec,
            view,
            wrapper: bwrap::find()?,
            program,
            complaints: memfd_create(c"complaints", MFdFlags::MFD_CLOEXEC)?,
        })
    }

    pub(in crate::shim) fn raw(&self) -> [RawFd; 2] {
        [self.program.as_raw_fd(), self.complaints.as_raw_fd()]
    }
}

/// Starts the command up to where it waits to be let go, and gives its pid. What went wrong stands among the complaints.
pub(in crate::shim) fn start(
    viewed: &Viewed<'_>,
    ends: &ChildEnds,
    reports: RawFd,
    ended: &SignalFd,
    orders: &OwnedFd,
) -> Result<i32, ()> {
    try_start(viewed, ends, reports, ended, orders).map_err(|error| {
        if let Ok(mut complaints) = viewed.complaints.try_clone().map(File::from) {
            let _ = writeln!(complaints, "{error}");
        }
    })
}

fn try_start(
    viewed: &Viewed<'_>,
    ends: &ChildEnds,
    reports: RawFd,
    ended: &SignalFd,
    orders: &OwnedFd,
) -> Result<i32, BuildError> {
    let built = build(viewed.spec, viewed.view)?;
    let failed = |error: io::Error| BuildError::new("prepare bubblewrap", error);
    let arguments = memory_file(&built.wrapping.to_bytes()).map_err(failed)?;
    let (adoption, theirs) = Reports::pair().map_err(failed)?;
    let [stdin, stdout, stderr, go, error] = ends.raw();
    let plan = Plan {
        spec: viewed.spec.clone(),
        writable: built.writable.into_iter().map(Into::into).collect(),
        owned: built.owned.into_iter().map(Into::into).collect(),
        fds: Fds {
            stdin,
            stdout,
            stderr,
            go,
            error,
            reports,
            adoption: theirs.as_raw_fd(),
        },
    };
    let plan = serde_json::to_vec(&plan)
        .map_err(io::Error::from)
        .and_then(|bytes| memory_file(&bytes))
        .map_err(failed)?;
    let handed_on = [
        stdin,
        stdout,
        stderr,
        go,
        error,
        reports,
        theirs.as_raw_fd(),
        plan.as_raw_fd(),
        arguments.as_raw_fd(),
        viewed.program.as_raw_fd(),
    ];
    let argv = [
        "bwrap".to_owned(),
        "--args".to_owned(),
        arguments.as_raw_fd().to_string(),
        "--".to_owned(),
        format!("/proc/self/fd/{}", viewed.program.as_raw_fd()),
        STAGE_ARGUMENT.to_owned(),
        plan.as_raw_fd().to_string(),
    ];
    let argv: Vec<CString> = argv
        .into_iter()
        .map(CString::new)
        .collect::<Result<_, _>>()
        .map_err(|error| failed(error.into()))?;
    let program = CString::new(viewed.wrapper.as_os_str().as_bytes())
        .map_err(|error| failed(error.into()))?;
    // SAFETY: this process has one thread, and the child leaves by exec or _exit.
    let wrapper = match Errno::result(unsafe { libc::fork() }) {
        // SAFETY: this is the freshly forked child.
        Ok(0) => unsafe {
            become_wrapper(&program, &argv, &handed_on, viewed.complaints.as_raw_fd())
        },
        Ok(pid) => pid,
        Err(errno) => return Err(BuildError::new("fork", errno)),
    };
    drop(theirs);
    adopt(wrapper, &adoption, ended, orders)
}

fn memory_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(c"dogwatch", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    io::Seek::rewind(&mut file)?;
    Ok(file.into())
}

/// Becomes bubblewrap.
///
/// # Safety
/// Only for a freshly forked child of a process with one thread.
unsafe fn become_wrapper(
    program: &CString,
    argv: &[CString],
    handed_on: &[RawFd],
    complaints: RawFd,
) -> ! {
    signals::reset_for_exec();
    let mut table: Vec<*const libc::c_char> = argv.iter().map(|word| word.as_ptr()).collect();
    table.push(std::ptr::null());
    // Bubblewrap's own words are not the command's output, and it gets none of the command's environment.
    let env = [std::ptr::null()];
    // SAFETY: system calls on integers, terminated strings and terminated tables that outlive them.
    unsafe {
        libc::setsid();
        libc::dup2(complaints, 1);
        libc::dup2(complaints, 2);
        descriptors::close_all_on_exec();
        for fd in handed_on {
            libc::fcntl(*fd, libc::F_SETFD, 0);
        }
        libc::execve(program.as_ptr(), table.as_ptr(), env.as_ptr());
    }
    let error = io::Error::last_os_error();
    let message = format!("cannot execute bubblewrap: {error}\n");
    // SAFETY: the buffer is valid for its length; then the process leaves without running anything of the copied process.
    unsafe {
        libc::write(2, message.as_ptr().cast(), message.len());
        libc::_exit(127)
    }
}

/// Waits for the stage, ends the process between it and us, and lets it go on.
fn adopt(
    wrapper: i32,
    adoption: &Reports,
    ended: &SignalFd,
    orders: &OwnedFd,
) -> Result<i32, BuildError> {
    let gone = |what: &str| BuildError::new("make the view", io::Error::other(what.to_owned()));
    let failed = |error: io::Error| BuildError::new("wait for bubblewrap", error);
    loop {
        let mut fds = [
            PollFd::new(adoption.as_fd(), PollFlags::POLLIN),
            PollFd::new(ended.as_fd(), PollFlags::POLLIN),
            PollFd::new(orders.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
        if fds[2].any().unwrap_or(true) {
            return Err(gone("the shim is gone"));
        }
        while ended.read_signal().ok().flatten().is_some() {}
        match adoption.take().map_err(failed)? {
            Taken::Message(received) if received.report == Report::Alive => {
                // SAFETY: kill takes integers; the child is not reaped yet, so the pid is its own.
                unsafe { libc::kill(wrapper, libc::SIGKILL) };
                wait_for(wrapper);
                adoption.answer();
                return Ok(received.sender);
            }
            Taken::Message(_) => return Err(gone("its stage said something unknown")),
            Taken::Closed => {
                wait_for(wrapper);
                return Err(gone("bubblewrap ended"));
            }
            Taken::Nothing => {}
        }
    }
}

fn wait_for(pid: i32) {
    // SAFETY: the null pointer says that the status is not wanted.
    while Errno::result(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }) == Err(Errno::EINTR)
    {
    }
}
