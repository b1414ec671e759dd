//! The trials of the means that a view needs, each in a process that ends at once.

use std::ffi::CString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::geteuid;

use super::namespace::{self, Namespaces};
use super::probe::Finding;
use super::{bwrap, limits};
use crate::shim::Filter;

/// The Landlock version that can keep files from being truncated.
const LANDLOCK_NEEDED: i64 = 3;

/// Runs bubblewrap inside the namespaces, with what every view asks of it.
pub(super) fn bubblewrap(contained: &Namespaces) -> Finding {
    let tried = bwrap::find().and_then(|program| {
        wrap_nothing(contained, &program)?;
        Ok(program)
    });
    match tried {
        Ok(program) => Finding {
            available: true,
            detail: Some(program.display().to_string()),
        },
        Err(error) => Finding {
            available: false,
            detail: Some(error.to_string()),
        },
    }
}

fn wrap_nothing(contained: &Namespaces, program: &Path) -> io::Result<()> {
    let user: &[&str] = if geteuid().is_root() {
        &[]
    } else {
        &["--unshare-user"]
    };
    let path = CString::new(program.as_os_str().as_bytes())?;
    let words = ["bwrap", "--unshare-ipc", "--unshare-uts"]
        .into_iter()
        .chain(user.iter().copied())
        .chain(["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"])
        .chain(["--perms", "1777", "--size", "65536", "--tmpfs", "/tmp"])
        .chain(["--remount-ro", "/tmp", "--chdir", "/", "--"]);
    let mut argv = words.map(CString::new).collect::<Result<Vec<_>, _>>()?;
    // Of the programs that could be run in the view, this is the one that is known to be there.
    argv.extend([path.clone(), CString::new("--version")?]);
    let mut table: Vec<_> = argv.iter().map(|word| word.as_ptr()).collect();
    table.push(std::ptr::null());
    let said = memfd_create(c"trial", MFdFlags::MFD_CLOEXEC)?;
    let body = || {
        namespace::mount_fresh_proc()?;
        let env = [std::ptr::null()];
        // SAFETY: system calls on integers, a terminated string and terminated tables that outlive them.
        unsafe {
            libc::dup2(said.as_raw_fd(), 1);
            libc::dup2(said.as_raw_fd(), 2);
            libc::execve(path.as_ptr(), table.as_ptr(), env.as_ptr());
        }
        Err(Errno::last())
    };
    // SAFETY: the body makes system calls only.
    unsafe { namespace::try_in_child(contained, body) }.map_err(|error| match read(&said) {
        Some(words) => io::Error::other(words),
        None => error,
    })
}

fn read(said: &OwnedFd) -> Option<String> {
    let mut bytes = [0; 512];
    let length = nix::sys::uio::pread(said, &mut bytes, 0).ok()?;
    let words = String::from_utf8_lossy(&bytes[..length]).trim().to_owned();
    (!words.is_empty()).then_some(words)
}

/// Mounts an overlay inside the namespaces and writes through it.
pub(super) fn overlay(contained: &Namespaces, scratch: &Path) -> io::Result<()> {
    let place = scratch.join(format!(".dogwatch-probe-{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&place)?;
    let tried = ["lower", "upper", "work", "target"]
        .iter()
        .try_for_each(|name| fs::create_dir(place.join(name)))
        .and_then(|()| mount_overlay(contained, &place));
    // The kernel makes a directory there that nobody but root may look into, which nobody but root could remove with what is in it.
    let _ = fs::set_permissions(place.join("work/work"), fs::Permissions::from_mode(0o700));
    let removed = fs::remove_dir_all(&place);
    tried.and(removed)
}

fn mount_overlay(contained: &Namespaces, place: &Path) -> io::Result<()> {
    let place = CString::new(place.as_os_str().as_bytes())?;
    let options = if geteuid().is_root() {
        c"lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off,metacopy=off,index=off"
    } else {
        c"lowerdir=lower,upperdir=upper,workdir=work,userxattr,metacopy=off,index=off"
    };
    let body = || {
        // SAFETY: system calls on terminated strings. The working directory is the child's own.
        unsafe {
            Errno::result(libc::chdir(place.as_ptr()))?;
            Errno::result(libc::mount(
                c"overlay".as_ptr(),
                c"target".as_ptr(),
                c"overlay".as_ptr(),
                0,
                options.as_ptr().cast(),
            ))?;
            Errno::result(libc::mkdir(c"target/written".as_ptr(), 0o700)).map(drop)
        }
    };
    // SAFETY: the body makes system calls only.
    unsafe { namespace::try_in_child(contained, body) }
}

/// Restricts a process with Landlock.
pub(super) fn landlock() -> Finding {
    /// `LANDLOCK_CREATE_RULESET_VERSION`.
    const VERSION: u32 = 1;
    // SAFETY: asking for the version takes no structure.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u64>(),
            0_usize,
            VERSION,
        )
    };
    // SAFETY: the body makes system calls only.
    let tried = Errno::result(version)
        .map_err(io::Error::from)
        .and_then(|_| unsafe { namespace::try_in_child(&Namespaces::none(), restrict_truncation) });
    match tried {
        Ok(()) if version >= LANDLOCK_NEEDED => Finding {
            available: true,
            detail: Some(format!("version {version}")),
        },
        Ok(()) => Finding {
            available: false,
            detail: Some(format!(
                "version {version} cannot keep files from being truncated"
            )),
        },
        Err(error) => Finding {
            available: false,
            detail: Some(error.to_string()),
        },
    }
}

fn restrict_truncation() -> Result<(), Errno> {
    /// `LANDLOCK_ACCESS_FS_WRITE_FILE` and `LANDLOCK_ACCESS_FS_TRUNCATE`.
    static HANDLED: u64 = 1 << 1 | 1 << 14;
    give_up_privileges()?;
    // SAFETY: the structure is one number of the length that is said.
    unsafe {
        let ruleset = Errno::result(libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const HANDLED,
            size_of::<u64>(),
            0,
        ))?;
        Errno::result(libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0)).map(drop)?;
    }
    Ok(())
}

/// Installs the filter that commands get.
pub(super) fn seccomp() -> io::Result<()> {
    let filter = Filter::new();
    let body = || {
        give_up_privileges()?;
        filter.install()
    };
    // SAFETY: the body makes system calls only.
    unsafe { namespace::try_in_child(&Namespaces::none(), body) }
}

fn give_up_privileges() -> Result<(), Errno> {
    // SAFETY: this prctl takes integers only.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

/// Enters a network namespace.
pub(super) fn network(contained: &Namespaces) -> io::Result<()> {
    // SAFETY: the body makes system calls only.
    unsafe {
        namespace::try_in_child(contained, || {
            Errno::result(libc::unshare(libc::CLONE_NEWNET)).map(drop)
        })
    }
}

/// Limits the processes of a namespace.
pub(super) fn process_limit(contained: &Namespaces) -> io::Result<()> {
    // SAFETY: the body makes system calls only.
    unsafe {
        namespace::try_in_child(contained, || {
            namespace::mount_fresh_proc()?;
            limits::limit_namespace(crate::spec::DEFAULT_MAX_PROCESSES)
        })
    }
}
