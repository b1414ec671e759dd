//! What this machine can really isolate, found by trying it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use serde::Serialize;

use super::namespace::{self, Namespaces};
use super::pidfd;
use super::proc;
use super::trials;

/// Whether one means of isolation works here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether trying it succeeded.
    pub available: bool,
    /// Where it was found, or why it was refused.
    pub detail: Option<String>,
}

impl Finding {
    pub(super) fn of(tried: io::Result<()>) -> Self {
        Self {
            available: tried.is_ok(),
            detail: tried.err().map(|error| error.to_string()),
        }
    }
}

/// What this machine can really isolate, as this user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// A PID namespace, the way a command would get it.
    pub pid_namespace: Finding,
    /// A user namespace that keeps this user's number.
    pub user_namespace: Finding,
    /// A `/proc` of its own inside the PID namespace.
    pub fresh_proc: Finding,
    /// Adopting orphaned descendants.
    pub subreaper: Finding,
    /// Handles on exact processes, and signals through them.
    pub pidfd: Finding,
    /// Ending a whole cgroup (v2) of our own at once.
    pub cgroup_kill: Finding,
    /// The bubblewrap program, run the way a view runs it.
    pub bwrap: Finding,
    /// An overlay, mounted the way a workspace is.
    pub overlay: Finding,
    /// Landlock with all that the full level needs.
    pub landlock: Finding,
    /// Filters on system calls.
    pub seccomp: Finding,
    /// A network of one's own.
    pub network_namespace: Finding,
    /// A limit on the number of processes of one PID namespace.
    pub process_limit: Finding,
}

/// Finds out what this machine can isolate by trying each means once, in processes that end at once. Overlays are tried in the system's
/// temporary directory.
pub fn probe() -> Capabilities {
    probe_in(&std::env::temp_dir())
}

/// The same with overlays tried in this directory, for that depends on its file system.
pub fn probe_in(scratch: &Path) -> Capabilities {
    let contained = Namespaces::for_this_user();
    // SAFETY: the bodies make system calls only.
    let (pid_namespace, user_namespace, fresh_proc, subreaper) = unsafe {
        (
            namespace::try_in_child(&contained, || Ok(())),
            namespace::try_in_child(&Namespaces::user_only(), || Ok(())),
            namespace::try_in_child(&contained, namespace::mount_fresh_proc),
            namespace::try_in_child(&Namespaces::none(), become_subreaper),
        )
    };
    Capabilities {
        pid_namespace: Finding::of(pid_namespace),
        user_namespace: Finding::of(user_namespace),
        fresh_proc: Finding::of(fresh_proc),
        subreaper: Finding::of(subreaper),
        pidfd: Finding::of(pidfd_to_self()),
        cgroup_kill: Finding::of(cgroup_kill()),
        bwrap: trials::bubblewrap(&contained),
        overlay: Finding::of(trials::overlay(&contained, scratch)),
        landlock: trials::landlock(),
        seccomp: Finding::of(trials::seccomp()),
        network_namespace: Finding::of(trials::network(&contained)),
        process_limit: Finding::of(trials::process_limit(&contained)),
    }
}

fn become_subreaper() -> Result<(), Errno> {
    // SAFETY: this prctl takes integers only.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Opens a handle on this very process and sends through it a signal whose default is to be ignored.
fn pidfd_to_self() -> io::Result<()> {
    let own = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    let stat =
        proc::stat(own)?.ok_or_else(|| io::Error::other("/proc does not show this process"))?;
    if pidfd::signal_exact(own, stat.start_time, Signal::SIGCONT)? {
        Ok(())
    } else {
        Err(io::Error::other(
            "the process was not found through its handle",
        ))
    }
}

/// Makes a cgroup below our own, opens its kill file for writing, and removes it again.
fn cgroup_kill() -> io::Result<()> {
    let own = own_cgroup()?;
    let trial = own.join(format!("dogwatch-probe-{}", std::process::id()));
    fs::create_dir(&trial).map_err(|error| at(&trial, &error))?;
    let kill = trial.join("cgroup.kill");
    let tried = OpenOptions::new()
        .write(true)
        .open(&kill)
        .map(drop)
        .map_err(|error| at(&kill, &error));
    fs::remove_dir(&trial).map_err(|error| at(&trial, &error))?;
    tried
}

fn own_cgroup() -> io::Result<PathBuf> {
    let membership = fs::read_to_string("/proc/self/cgroup")?;
    let path = membership
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .ok_or_else(|| io::Error::other("this process is in no cgroup v2"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let root = mounts
        .lines()
        .find_map(|line| {
            let (place, kind) = line.split_once(" - ")?;
            let mount_point = place.split(' ').nth(4)?;
            kind.starts_with("cgroup2 ").then_some(mount_point)
        })
        .ok_or_else(|| io::Error::other("cgroup v2 is not mounted"))?;
    Ok(Path::new(root).join(path))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_come_with_a_reason_and_the_basics_work() {
        let found = probe();
        assert!(
            found.subreaper.available && found.pidfd.available,
            "{found:?}"
        );
        for finding in [
            &found.pid_namespace,
            &found.user_namespace,
            &found.fresh_proc,
            &found.cgroup_kill,
            &found.bwrap,
            &found.overlay,
            &found.landlock,
            &found.seccomp,
            &found.network_namespace,
            &found.process_limit,
        ] {
            assert!(finding.available || finding.detail.is_some(), "{found:?}");
        }
        assert!(found.pid_namespace.available || !found.fresh_proc.available);
    }
}
