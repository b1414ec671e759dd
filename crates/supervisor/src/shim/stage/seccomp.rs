//! A filter that refuses the system calls no build, test or agent needs and every escape begins with.
//!
//! It is a list of what is denied, not of what is allowed: commands are any program there is. New user namespaces are denied too:
//! mounts inside them would be refused by Landlock anyway, and they open more of the kernel than anything else.

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long, sock_filter, sock_fprog};

/// The bit that marks the other numbering of system calls on x86-64.
const X32: u32 = 0x4000_0000;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Denied as "not permitted".
const DENIED: &[c_long] = &[
    // Mounts and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    // Namespaces.
    libc::SYS_setns,
    // The kernel's own programs and keys.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_syslog,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Every flag that asks for a new namespace.
const NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP)
    .cast_unsigned();

/// `CLONE_NEWTIME`; for `clone` the same bit means something else.
const TIME_NAMESPACE: u32 = 0x80;

/// The kinds of sockets that programs use. All others are doors into rarely used parts of the kernel, or past the network namespace.
const SOCKETS: [c_int; 4] = [
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// Typing into a terminal in somebody else's name.
const INJECTIONS: [u32; 2] = [0x5412, 0x541C];

/// The filter, ready to be installed.
#[derive(Debug)]
pub(crate) struct Filter(Vec<sock_filter>);

impl Filter {
    pub(crate) fn new() -> Self {
        Self(program())
    }

    /// Installs the filter. Needs that no new privileges can be gained. Async-signal-safe.
    pub(crate) fn install(&self) -> Result<(), Errno> {
        let program = sock_fprog {
            len: u16::try_from(self.0.len()).map_err(|_| Errno::E2BIG)?,
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: the program points to as many instructions as it says, which outlive the call.
        let result = unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
                0,
                0,
            )
        };
        Errno::result(result).map(drop)
    }
}

/// Where the kernel puts what the filter looks at.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
/// The low half of the argument of this number.
const fn argument_at(number: u32) -> u32 {
    let low = if cfg!(target_endian = "big") { 4 } else { 0 };
    16 + 8 * number + low
}

fn program() -> Vec<sock_filter> {
    let mut code = vec![
        load(ARCHITECTURE_AT),
        jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
        give(libc::SECCOMP_RET_KILL_PROCESS),
        load(NUMBER_AT),
    ];
    if cfg!(target_arch = "x86_64") {
        code.extend([jump(libc::BPF_JGE, X32, 0, 1), refuse(libc::ENOSYS)]);
    }
    for number in DENIED {
        code.extend(when(*number, &[refuse(libc::EPERM)]));
    }
    // Its flags are in memory, where a filter cannot look. Every C library then uses `clone`.
    code.extend(when(libc::SYS_clone3, &[refuse(libc::ENOSYS)]));
    code.extend(when(
        libc::SYS_clone,
        &[
            load(argument_at(0)),
            jump(libc::BPF_JSET, NAMESPACES, 0, 1),
            refuse(libc::EPERM),
            give(libc::SECCOMP_RET_ALLOW),
        ],
    ));
    code.extend(when(
        libc::SYS_unshare,
        &[
            load(argument_at(0)),
            jump(libc::BPF_JSET, NAMESPACES | TIME_NAMESPACE, 0, 1),
            refuse(libc::EPERM),
            give(libc::SECCOMP_RET_ALLOW),
        ],
    ));
    let mut socket = vec![load(argument_at(0))];
    for family in SOCKETS {
        socket.extend([
            jump(libc::BPF_JEQ, family.cast_unsigned(), 0, 1),
            give(libc::SECCOMP_RET_ALLOW),
        ]);
    }
    socket.push(refuse(libc::EAFNOSUPPORT));
    code.extend(when(libc::SYS_socket, &socket));
    let mut ioctl = vec![load(argument_at(1))];
    for request in INJECTIONS {
        ioctl.extend([jump(libc::BPF_JEQ, request, 0, 1), refuse(libc::EPERM)]);
    }
    ioctl.push(give(libc::SECCOMP_RET_ALLOW));
    code.extend(when(libc::SYS_ioctl, &ioctl));
    code.push(give(libc::SECCOMP_RET_ALLOW));
    code
}

/// The block for one system call; it must end by giving an answer.
fn when(number: c_long, block: &[sock_filter]) -> Vec<sock_filter> {
    let length = u8::try_from(block.len()).expect("a block is a few instructions long");
    let number = u32::try_from(number).expect("a system call's number is small");
    let mut code = vec![jump(libc::BPF_JEQ, number, 0, length)];
    code.extend_from_slice(block);
    code
}

const fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

const fn jump(test: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    instruction(libc::BPF_JMP | test | libc::BPF_K, value, yes, no)
}

const fn give(answer: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, answer, 0, 0)
}

const fn refuse(errno: c_int) -> sock_filter {
    give(libc::SECCOMP_RET_ERRNO | errno.cast_unsigned())
}

const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    #[expect(clippy::cast_possible_truncation, reason = "the codes have 16 bits")]
    let code = code as u16;
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers, by running it.
    fn answer(architecture: u32, number: c_long, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(u32::try_from(number).unwrap().to_ne_bytes());
        data.extend(architecture.to_ne_bytes());
        data.extend(0_u64.to_ne_bytes());
        for argument in arguments {
            data.extend(argument.to_ne_bytes());
        }
        let code = program();
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = code[at];
            at += 1;
            let code = u32::from(code);
            match code & 7 {
                libc::BPF_LD => {
                    let from = k as usize;
                    accumulator = u32::from_ne_bytes(data[from..from + 4].try_into().unwrap());
                }
                libc::BPF_JMP => {
                    let yes = match code & 0xf0 {
                        libc::BPF_JEQ => accumulator == k,
                        libc::BPF_JGE => accumulator >= k,
                        libc::BPF_JSET => accumulator & k != 0,
                        other => panic!("{other}"),
                    };
                    at += usize::from(if yes { jt } else { jf });
                }
                libc::BPF_RET => return k,
                other => panic!("{other}"),
            }
        }
    }

    fn here(number: c_long, arguments: [u64; 6]) -> u32 {
        answer(ARCHITECTURE, number, arguments)
    }

    const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;

    fn refused(errno: c_int) -> u32 {
        libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()
    }

    #[test]
    fn what_is_denied_is_denied_and_the_rest_is_not() {
        for number in DENIED {
            assert_eq!(here(*number, [0; 6]), refused(libc::EPERM), "{number}");
        }
        for number in [
            libc::SYS_read,
            libc::SYS_openat,
            libc::SYS_execve,
            libc::SYS_ptrace,
            libc::SYS_statx,
        ] {
            assert_eq!(here(number, [0; 6]), ALLOWED, "{number}");
        }
        assert_eq!(here(libc::SYS_clone3, [0; 6]), refused(libc::ENOSYS));
        let other = answer(ARCHITECTURE ^ 1, libc::SYS_read, [0; 6]);
        assert_eq!(other, libc::SECCOMP_RET_KILL_PROCESS);
    }

    #[test]
    fn arguments_decide_where_they_must() {
        let flag = |flag: c_int| [u64::from(flag.cast_unsigned()), 0, 0, 0, 0, 0];
        for number in [libc::SYS_clone, libc::SYS_unshare] {
            assert_eq!(
                here(number, flag(libc::CLONE_NEWUSER)),
                refused(libc::EPERM)
            );
            let among = flag(libc::CLONE_FILES | libc::CLONE_NEWNS);
            assert_eq!(here(number, among), refused(libc::EPERM));
            assert_eq!(here(number, flag(libc::CLONE_FILES)), ALLOWED);
        }
        assert_eq!(here(libc::SYS_unshare, flag(0x80)), refused(libc::EPERM));
        for family in SOCKETS {
            assert_eq!(here(libc::SYS_socket, flag(family)), ALLOWED);
        }
        for family in [libc::AF_VSOCK, libc::AF_PACKET, libc::AF_ALG] {
            assert_eq!(
                here(libc::SYS_socket, flag(family)),
                refused(libc::EAFNOSUPPORT)
            );
        }
        // The kernel looks at the low half of an ioctl's number only, and so does the filter.
        for high in [0, 1 << 32] {
            let injection = [0, high | 0x5412, 0, 0, 0, 0];
            assert_eq!(here(libc::SYS_ioctl, injection), refused(libc::EPERM));
        }
        assert_eq!(here(libc::SYS_ioctl, [0, 0x5401, 0, 0, 0, 0]), ALLOWED);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_other_numbering_is_no_way_around() {
        let number = libc::SYS_mount | c_long::from(X32);
        assert_eq!(here(number, [0; 6]), refused(libc::ENOSYS));
    }
}
