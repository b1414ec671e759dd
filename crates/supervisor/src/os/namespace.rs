//! PID namespaces: a process tree that the kernel itself empties when its first process ends.
//!
//! The child side runs between clone and exec, possibly in a copy of a process that had several threads (the probe's caller), so it
//! allocates nothing, takes no lock and uses only system calls. What it needs is prepared in [`Namespaces`] beforehand.

use std::ffi::CStr;
use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl;
use nix::unistd::{getegid, geteuid};

/// A step of entering the namespaces that can be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Step {
    Setgroups = 1,
    GidMap = 2,
    UidMap = 3,
    PrivateMounts = 4,
}

impl Step {
    pub(crate) const fn of(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Setgroups),
            2 => Some(Self::GidMap),
            3 => Some(Self::UidMap),
            4 => Some(Self::PrivateMounts),
            _ => None,
        }
    }

    /// What was being done, to stand after "cannot".
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Setgroups => "give up setgroups in the user namespace",
            Self::GidMap => "map the group id into the user namespace",
            Self::UidMap => "map the user id into the user namespace",
            Self::PrivateMounts => "make the mounts private",
        }
    }
}

/// A refused step and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) step: Step,
    pub(crate) errno: Errno,
}

/// Which namespaces a child gets, with everything its side needs already prepared.
#[derive(Debug)]
pub(crate) struct Namespaces {
    flags: u64,
    /// The identity maps of the new user namespace: this user and group, and nobody else.
    maps: Option<IdMaps>,
}

#[derive(Debug)]
struct IdMaps {
    uid: Vec<u8>,
    gid: Vec<u8>,
}

impl IdMaps {
    fn of_this_user() -> Self {
        let (uid, gid) = (geteuid(), getegid());
        Self {
            uid: format!("{uid} {uid} 1\n").into_bytes(),
            gid: format!("{gid} {gid} 1\n").into_bytes(),
        }
    }
}

impl Namespaces {
    /// PID and mount namespaces; for an ordinary user inside a user namespace that keeps the same uid.
    pub(crate) fn for_this_user() -> Self {
        let maps = (!geteuid().is_root()).then(IdMaps::of_this_user);
        let user = if maps.is_some() {
            libc::CLONE_NEWUSER
        } else {
            0
        };
        Self {
            flags: flags(libc::CLONE_NEWPID | libc::CLONE_NEWNS | user),
            maps,
        }
    }

    /// A user namespace alone, for the probe.
    pub(crate) fn user_only() -> Self {
        Self {
            flags: flags(libc::CLONE_NEWUSER),
            maps: Some(IdMaps::of_this_user()),
        }
    }

    /// No namespace at all: a plain fork, for the probe.
    pub(crate) const fn none() -> Self {
        Self {
            flags: 0,
            maps: None,
        }
    }

    /// Forks into the namespaces. Gives the child's pid to the parent and `None` to the child.
    ///
    /// # Safety
    /// The child is a copy of the calling thread alone. If the process has other threads, the child may only make system calls until it
    /// execs or exits. It must leave through exec or `_exit`, never by returning to the caller's frames.
    pub(crate) unsafe fn fork(&self) -> Result<Option<i32>, Errno> {
        // SAFETY: clone_args is plain integers, for which zero means "not used".
        let mut arguments = unsafe { std::mem::zeroed::<libc::clone_args>() };
        arguments.flags = self.flags;
        arguments.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
        // SAFETY: without CLONE_VM the child runs on its own copy of this stack, as after fork; the caller keeps the rest of the contract.
        let pid = unsafe {
            libc::syscall(
                libc::SYS_clone3,
                &raw mut arguments,
                size_of::<libc::clone_args>(),
            )
        };
        let pid = Errno::result(pid)?;
        Ok((pid != 0).then_some(i32::try_from(pid).unwrap_or(i32::MAX)))
    }

    /// The child's first steps: its user and group keep their numbers, and what it mounts stays its own. Async-signal-safe.
    pub(crate) fn enter(&self) -> Result<(), Refused> {
        if let Some(maps) = &self.maps {
            let write = |step, path, bytes: &[u8]| {
                write_file(path, bytes).map_err(|errno| Refused { step, errno })
            };
            // The maps of a process whose memory is private belong to root, so it is readable while it writes them.
            let private = prctl::get_dumpable() == Ok(false);
            if private {
                let _ = prctl::set_dumpable(true);
            }
            // An unprivileged group map is accepted only once setgroups is given up for good.
            let written = write(Step::Setgroups, c"/proc/self/setgroups", b"deny")
                .and_then(|()| write(Step::GidMap, c"/proc/self/gid_map", &maps.gid))
                .and_then(|()| write(Step::UidMap, c"/proc/self/uid_map", &maps.uid));
            if private {
                prctl::set_dumpable(false).map_err(|errno| Refused {
                    step: Step::UidMap,
                    errno,
                })?;
            }
            written?;
        }
        if self.flags & flags(libc::CLONE_NEWNS) != 0 {
            make_mounts_private().map_err(|errno| Refused {
                step: Step::PrivateMounts,
                errno,
            })?;
        }
        Ok(())
    }
}

fn flags(bits: libc::c_int) -> u64 {
    u64::from(bits.unsigned_abs())
}

/// Writes a file in one go. Async-signal-safe.
pub(crate) fn write_file(path: &CStr, bytes: &[u8]) -> Result<(), Errno> {
    // SAFETY: the path is a terminated string, the buffer is valid for its length, and the descriptor is closed exactly once.
    unsafe {
        let fd = Errno::result(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC))?;
        let written = Errno::result(libc::write(fd, bytes.as_ptr().cast(), bytes.len()));
        libc::close(fd);
        written.map(drop)
    }
}

fn make_mounts_private() -> Result<(), Errno> {
    // SAFETY: both strings are terminated; the kernel ignores the others for this change of propagation.
    let result = unsafe {
        libc::mount(
            c"none".as_ptr(),
            c"/".as_ptr(),
            std::ptr::null(),
            libc::MS_REC | libc::MS_PRIVATE,
            std::ptr::null(),
        )
    };
    Errno::result(result).map(drop)
}

/// Mounts a `/proc` that shows the namespace of the calling process. Async-signal-safe.
pub(crate) fn mount_fresh_proc() -> Result<(), Errno> {
    // SAFETY: all strings are terminated and proc takes no data.
    let result = unsafe {
        libc::mount(
            c"proc".as_ptr(),
            c"/proc".as_ptr(),
            c"proc".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
            std::ptr::null(),
        )
    };
    Errno::result(result).map(drop)
}

/// Runs `body` in a child inside the namespaces and gives back what it returned: 0 or an errno.
///
/// # Safety
/// `body` runs in a copy of one thread of a process that may have more: it may only make system calls.
pub(crate) unsafe fn try_in_child(
    namespaces: &Namespaces,
    body: impl Fn() -> Result<(), Errno>,
) -> io::Result<()> {
    // SAFETY: the child only makes system calls and leaves through _exit.
    let child = unsafe { namespaces.fork() }?;
    let Some(pid) = child else {
        let entered = namespaces.enter().map_err(|refused| refused.errno);
        let code = entered
            .and_then(|()| body())
            .map_or_else(|errno| errno as i32, |()| 0);
        // SAFETY: leaves without running anything of the copied process.
        unsafe { libc::_exit(code) }
    };
    let mut status = 0;
    loop {
        // SAFETY: the status is a valid place for one int.
        match Errno::result(unsafe { libc::waitpid(pid, &raw mut status, 0) }) {
            Ok(_) => break,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !libc::WIFEXITED(status) {
        return Err(io::Error::other("the trial process was killed"));
    }
    match libc::WEXITSTATUS(status) {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}
