//! Giving up everything that makes a process more than its user.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{Gid, Uid, chown, geteuid, setgroups, setresgid, setresuid};

use crate::containment::AgentUser;
use crate::text::RawText;

/// Becomes the user, if another one is wanted, and gives up every capability for good.
pub(super) fn give_up(user: Option<AgentUser>, owned: &[RawText]) -> io::Result<()> {
    no_new_privileges()?;
    if geteuid().is_root() {
        // Root's programs gain nothing by being root's, and nothing is left to gain.
        drop_bounding_set()?;
        const NO_ROOT: libc::c_int = 1;
        const NO_ROOT_LOCKED: libc::c_int = 1 << 1;
        set(libc::PR_SET_SECUREBITS, NO_ROOT | NO_ROOT_LOCKED)?;
        if let Some(AgentUser { uid, gid }) = user {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            for path in owned {
                chown(path.as_path(), Some(uid), Some(gid))?;
            }
            setgroups(&[])?;
            setresgid(gid, gid, gid)?;
            setresuid(uid, uid, uid)?;
        }
    }
    clear_capabilities()
}

fn no_new_privileges() -> io::Result<()> {
    set(libc::PR_SET_NO_NEW_PRIVS, 1)
}

fn set(option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: these prctls take integers only.
    let result = unsafe { libc::prctl(option, value, 0, 0, 0) };
    Ok(Errno::result(result).map(drop)?)
}

fn drop_bounding_set() -> io::Result<()> {
    for capability in 0..64 {
        match set(libc::PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            // The last one this kernel knows has been dropped.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn clear_capabilities() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    struct Sets {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    /// `_LINUX_CAPABILITY_VERSION_3`.
    const VERSION: u32 = 0x2008_0522;
    set(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL)?;
    let header = Header {
        version: VERSION,
        pid: 0,
    };
    let none = [const {
        Sets {
            effective: 0,
            permitted: 0,
            inheritable: 0,
        }
    }; 2];
    // SAFETY: both structures have the kernel's layout and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    Ok(Errno::result(result).map(drop)?)
}

/// What the kernel says about this process: what was asked for is one thing, what came of it another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) uid: u32,
    powers: u64,
    no_new_privileges: bool,
}

impl Status {
    pub(super) fn read() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/self/status")?;
        Self::parse(&text).ok_or_else(|| io::Error::other("/proc/self/status has an unknown form"))
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        let hex = |name| u64::from_str_radix(field(name)?, 16).ok();
        // Real, effective, saved, file system: the highest privilege would be hidden by looking at one of them only.
        let uids = field("Uid")?
            .split_ascii_whitespace()
            .map(|number| number.parse::<u32>().ok())
            .collect::<Option<Vec<u32>>>()?;
        Some(Self {
            uid: uids.into_iter().min()?,
            powers: hex("CapInh")? | hex("CapPrm")? | hex("CapEff")? | hex("CapAmb")?,
            no_new_privileges: field("NoNewPrivs")? == "1",
        })
    }

    /// No capability, and no way to one.
    pub(super) const fn is_powerless(&self) -> bool {
        self.powers == 0 && self.no_new_privileges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tsh\nUid:\t7\t7\t7\t7\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n\
        CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n";

    #[test]
    fn one_power_is_enough_to_be_powerful() {
        let status = Status::parse(STATUS).unwrap();
        assert!(status.is_powerless() && status.uid == 7);
        for (from, to) in [
            ("CapPrm:\t0000000000000000", "CapPrm:\t0000000000000001"),
            ("CapAmb:\t0000000000000000", "CapAmb:\t0000008000000000"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
        ] {
            assert!(
                !Status::parse(&STATUS.replace(from, to))
                    .unwrap()
                    .is_powerless()
            );
        }
        let saved = STATUS.replace("7\t7\t7\t7", "7\t7\t0\t7");
        assert_eq!(Status::parse(&saved).unwrap().uid, 0);
        assert_eq!(Status::parse("Uid:\t1"), None);
    }
}
