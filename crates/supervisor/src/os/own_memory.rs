//! Keeping this process's memory to itself: it holds secrets.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl;
use nix::unistd::geteuid;

/// Makes this process unreadable for others of its user, and what it forks until that executes something; nothing of it or of its
/// descendants is ever dumped to disk.
///
/// Where `/proc` hides processes that one may not trace, an unreadable process would look like one that is gone to whoever has to end it.
/// There it stays readable; `false` says so.
pub(crate) fn keep_private() -> io::Result<bool> {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit is a valid structure.
    Errno::result(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) })?;
    if !geteuid().is_root() && hides_processes(&fs::read_to_string("/proc/self/mounts")?) {
        return Ok(false);
    }
    prctl::set_dumpable(false)?;
    Ok(true)
}

/// Whether `/proc`, as this table of mounts has it, shows a user only the processes that it may trace.
fn hides_processes(mounts: &str) -> bool {
    let mut hides = false;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        if let (Some("/proc"), Some("proc"), Some(options)) =
            (fields.next(), fields.next(), fields.next())
        {
            // A later mount covers an earlier one.
            hides = options
                .split(',')
                .filter_map(|option| option.strip_prefix("hidepid="))
                .any(|how| !matches!(how, "0" | "off"));
        }
    }
    hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proc_that_hides_processes_is_recognised() {
        let plain = "proc /proc proc rw,nosuid 0 0\n";
        let hiding = "proc /proc proc rw,nosuid,hidepid=invisible 0 0\n";
        assert!(!hides_processes(plain));
        assert!(hides_processes(hiding));
        assert!(hides_processes("proc /proc proc rw,gid=4,hidepid=2 0 0\n"));
        assert!(!hides_processes("proc /proc proc rw,hidepid=off 0 0\n"));
        assert!(!hides_processes("proc /elsewhere proc rw,hidepid=2 0 0\n"));
        assert!(!hides_processes(&format!("{hiding}{plain}")));
    }
}
