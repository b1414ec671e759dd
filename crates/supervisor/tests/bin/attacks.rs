//! Attacks that need system calls of their own. Each ends with 0 if it got through, and with 1 if it was held.

use std::ffi::CString;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc::{self, c_long};

/// Carries out the attack of this name.
pub(crate) fn attack(name: &str, argument: Option<String>) -> ExitCode {
    let path = |text: &str| CString::new(text).expect("no null byte");
    let argument = argument.unwrap_or_default();
    let pid = argument.parse::<i32>().unwrap_or(0);
    let null = std::ptr::null::<libc::c_void>();
    // SAFETY: every call gets valid pointers or null, and this process does nothing afterwards.
    let result: c_long = unsafe {
        match name {
            "mount" => {
                let target = path(&argument);
                libc::mount(
                    c"none".as_ptr(),
                    target.as_ptr(),
                    c"tmpfs".as_ptr(),
                    0,
                    null,
                )
                .into()
            }
            "bind" => {
                let target = path(&argument);
                let flags = libc::MS_BIND | libc::MS_REC;
                libc::mount(
                    c"/etc".as_ptr(),
                    target.as_ptr(),
                    std::ptr::null(),
                    flags,
                    null,
                )
                .into()
            }
            "remount" => {
                let target = path(&argument);
                let flags = libc::MS_REMOUNT | libc::MS_BIND;
                libc::mount(
                    std::ptr::null(),
                    target.as_ptr(),
                    std::ptr::null(),
                    flags,
                    null,
                )
                .into()
            }
            "umount" => libc::umount2(path(&argument).as_ptr(), libc::MNT_DETACH).into(),
            "pivot_root" => libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()),
            "chroot" => libc::chroot(path(&argument).as_ptr()).into(),
            "mount_setattr" => {
                let clear: [u64; 4] = [0, 1, 0, 0];
                let (at, recursive) = (libc::AT_FDCWD, 0x8000);
                libc::syscall(
                    libc::SYS_mount_setattr,
                    at,
                    c"/".as_ptr(),
                    recursive,
                    &clear,
                    32,
                )
            }
            "open_tree" => libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c"/".as_ptr(), 1),
            "fsopen" => libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), 0),
            "open_by_handle" => by_handle(),
            "mknod" => {
                let device = libc::makedev(254, 0);
                libc::mknod(path(&argument).as_ptr(), libc::S_IFBLK | 0o666, device).into()
            }
            "tiocsti" => inject(),
            "setns" => {
                let file = libc::open(path(&argument).as_ptr(), libc::O_RDONLY);
                libc::setns(file, 0).into()
            }
            "unshare" => libc::unshare(pid).into(),
            "clone" => cloned(libc::syscall(
                libc::SYS_clone,
                libc::CLONE_NEWUSER | libc::SIGCHLD,
                0,
                0,
                0,
                0,
            )),
            "clone3" => {
                let mut arguments: [u64; 11] = [0; 11];
                arguments[0] = u64::from(libc::CLONE_NEWUSER.cast_unsigned());
                arguments[4] = 17;
                cloned(libc::syscall(
                    libc::SYS_clone3,
                    &arguments,
                    size_of_val(&arguments),
                ))
            }
            "ptrace" => libc::ptrace(libc::PTRACE_SEIZE, pid, null, null),
            "read_memory" => read_memory(pid),
            "kill" => libc::kill(pid, libc::SIGKILL).into(),
            "pidfd" => libc::syscall(libc::SYS_pidfd_open, pid, 0),
            "setuid" => libc::setresuid(0, 0, 0).into(),
            "setgroups" => libc::setgroups(1, &raw const ZERO_GROUP).into(),
            "setgid" => libc::setresgid(0, 0, 0).into(),
            "capabilities" => {
                let header: [u32; 2] = [0x2008_0522, 0];
                let all: [u32; 6] = [!0; 6];
                libc::syscall(libc::SYS_capset, &header, &all)
            }
            "privileged" => c_long::from(privileged()) - 1,
            "io_uring" => {
                let mut parameters = [0_u64; 15];
                libc::syscall(libc::SYS_io_uring_setup, 1, &raw mut parameters)
            }
            "bpf" => {
                let program = [0_u64; 16];
                libc::syscall(libc::SYS_bpf, 0, &program, size_of_val(&program)).max(-1)
            }
            "keyctl" => libc::syscall(libc::SYS_keyctl, 0, -3, 1),
            "add_key" => libc::syscall(
                libc::SYS_add_key,
                c"user".as_ptr(),
                c"dogwatch".as_ptr(),
                c"x".as_ptr(),
                1,
                -3,
            ),
            "perf" => {
                let mut event = [0_u32; 32];
                event[0] = 1;
                event[1] = 128;
                libc::syscall(libc::SYS_perf_event_open, &event, 0, -1, -1, 0)
            }
            "userfaultfd" => libc::syscall(libc::SYS_userfaultfd, 1),
            "module" => libc::syscall(libc::SYS_finit_module, 0, c"".as_ptr(), 0),
            "reboot" => libc::reboot(libc::RB_DISABLE_CAD).into(),
            "hostname" => libc::sethostname(c"taken".as_ptr(), 5).into(),
            "swapon" => libc::swapon(c"/etc/passwd".as_ptr(), 0).into(),
            "dmesg" => libc::klogctl(10, std::ptr::null_mut(), 0).into(),
            "socket" => libc::socket(pid, libc::SOCK_DGRAM | libc::SOCK_RAW, 0)
                .max(libc::socket(pid, libc::SOCK_STREAM, 0))
                .into(),
            "exchange" => {
                let (from, to) = argument.split_once(':').expect("two paths");
                let (from, to, at) = (path(from), path(to), libc::AT_FDCWD);
                let exchange = libc::RENAME_EXCHANGE;
                libc::syscall(
                    libc::SYS_renameat2,
                    at,
                    from.as_ptr(),
                    at,
                    to.as_ptr(),
                    exchange,
                )
            }
            "connect" => c_long::from(UnixStream::connect(&argument).is_ok()) - 1,
            "abstract" => c_long::from(connect_abstract(&argument)) - 1,
            "network" => {
                let out = std::net::TcpStream::connect(&argument);
                c_long::from(out.is_ok()) - 1
            }
            "suid" => {
                let gained = libc::geteuid() != libc::getuid();
                c_long::from(gained) - 1
            }
            other => panic!("there is no attack {other:?}"),
        }
    };
    if result < 0 {
        say(&format!("{name}: {}", Errno::last()));
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}

/// Says why, for whoever reads a failed test.
#[expect(clippy::print_stderr, reason = "a program of the tests")]
fn say(what: &str) {
    eprintln!("{what}");
}

static ZERO_GROUP: libc::gid_t = 0;

/// A child that got its namespace is let end.
fn cloned(pid: c_long) -> c_long {
    if pid == 0 {
        // SAFETY: leaves at once.
        unsafe { libc::_exit(0) }
    }
    pid
}

/// Opens the root directory by its handle, which leads around every mount.
unsafe fn by_handle() -> c_long {
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        inode: u32,
        generation: u32,
    }
    let mut handle = Handle {
        bytes: 8,
        kind: 1,
        inode: 2,
        generation: 0,
    };
    // SAFETY: the handle has the room it says.
    unsafe {
        let root = libc::open(c"/".as_ptr(), libc::O_RDONLY);
        libc::syscall(
            libc::SYS_open_by_handle_at,
            root,
            &raw mut handle,
            libc::O_RDONLY,
        )
    }
}

/// Types a letter into a terminal.
unsafe fn inject() -> c_long {
    let letter = b'x';
    // SAFETY: the letter is one byte.
    unsafe {
        let terminal = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY);
        libc::ioctl(terminal, libc::TIOCSTI, &raw const letter).into()
    }
}

unsafe fn read_memory(pid: i32) -> c_long {
    let mut byte = 0_u8;
    let local = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let remote = libc::iovec {
        iov_base: (&raw const ZERO_GROUP).cast_mut().cast(),
        iov_len: 1,
    };
    // SAFETY: both vectors have one element.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    // A bad address is an answer only to those who may ask.
    if read < 0 && Errno::last() == Errno::EFAULT {
        return 0;
    }
    read as c_long
}

/// Whether any capability is held, or could be gained.
fn privileged() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("there is a /proc");
    let held = ["CapInh", "CapPrm", "CapEff", "CapAmb"].iter().any(|name| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.is_none_or(|line| !line.ends_with("0000000000000000"))
    });
    held || !status.contains("NoNewPrivs:\t1")
}

fn connect_abstract(name: &str) -> bool {
    use std::os::linux::net::SocketAddrExt as _;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name).expect("a short name");
    UnixStream::connect_addr(&address).is_ok()
}
