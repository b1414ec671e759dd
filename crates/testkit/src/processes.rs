//! Process trees as `/proc` shows them: who descends from whom, who carries a variable, and how to end all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};

use crate::wait::{NotInTime, wait_until};

pub use nix::unistd::Pid;

/// How long killed processes may take to be gone.
const END: Duration = Duration::from_secs(20);

/// Why a process tree was not ended.
#[derive(Debug)]
pub enum KillTreeError {
    /// This process, or one that the machine needs.
    Refused(Pid),
    /// `/proc` cannot be read.
    Proc(io::Error),
    /// A signal could not be sent.
    Signal(Pid, Errno),
    /// Some of them did not end.
    NotInTime(NotInTime),
}

impl std::fmt::Display for KillTreeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(pid) => write!(f, "process {pid} is not for a test to end"),
            Self::Proc(error) => write!(f, "cannot read /proc: {error}"),
            Self::Signal(pid, errno) => write!(f, "cannot signal process {pid}: {errno}"),
            Self::NotInTime(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KillTreeError {}

/// One line of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    parent: Pid,
    /// In clock ticks since boot: with the pid, it names a process for good.
    started: u64,
    /// Dead, and only waiting for its parent to ask how it ended.
    ended: bool,
}

/// The living descendants of a process, itself not among them, in order of their pids. Orphans have another parent and are not found.
pub fn descendants(pid: Pid) -> io::Result<Vec<Pid>> {
    let table = table()?;
    Ok(below(&table, pid)
        .into_iter()
        .filter(|pid| table.get(pid).is_some_and(|row| !row.ended))
        .collect())
}

/// Ends a process and all its descendants, and tells which those were. All are stopped before the first is killed, so that none of them
/// can act on the death of another, or start one more.
///
/// A child of the calling process stays as a zombie until it is waited for.
pub fn kill_tree(root: Pid) -> Result<Vec<Pid>, KillTreeError> {
    if root.as_raw() <= 1 || root == Pid::this() {
        return Err(KillTreeError::Refused(root));
    }
    let mut members: BTreeMap<Pid, u64> = BTreeMap::new();
    loop {
        let table = table().map_err(KillTreeError::Proc)?;
        let mut fresh = below(&table, root);
        fresh.insert(root);
        fresh.retain(|pid| !members.contains_key(pid));
        let mut found = false;
        for pid in fresh {
            let Some(row) = table.get(&pid).filter(|row| !row.ended) else {
                continue;
            };
            signal(pid, row.started, Signal::SIGSTOP)?;
            members.insert(pid, row.started);
            found = true;
        }
        // A process that was not yet stopped may have started another one meanwhile, so only a look without news is the last.
        if !found {
            break;
        }
    }
    for (pid, started) in &members {
        signal(*pid, *started, Signal::SIGKILL)?;
    }
    let what = format!("the processes {:?} are gone", members.keys());
    wait_until(&what, END, || {
        members
            .iter()
            .all(|(pid, started)| !is_running(*pid, *started))
    })
    .map_err(KillTreeError::NotInTime)?;
    Ok(members.into_keys().collect())
}

/// The processes whose environment had this variable with this value when they were started. Processes of other users, which an
/// ordinary user may not look into, are left out.
pub fn processes_with_env(name: &str, value: &str) -> io::Result<Vec<Pid>> {
    let wanted = format!("{name}={value}");
    let mut found = Vec::new();
    for pid in pids()? {
        match fs::read(format!("/proc/{pid}/environ")) {
            Ok(bytes) => {
                if bytes
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == wanted.as_bytes())
                {
                    found.push(pid);
                }
            }
            Err(error) if is_gone(&error) || error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn pids() -> io::Result<BTreeSet<Pid>> {
    let mut pids = BTreeSet::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = std::str::from_utf8(name.as_bytes())
            .ok()
            .and_then(|name| name.parse().ok())
        {
            pids.insert(Pid::from_raw(pid));
        }
    }
    Ok(pids)
}

fn table() -> io::Result<BTreeMap<Pid, Row>> {
    let mut table = BTreeMap::new();
    for pid in pids()? {
        if let Some(row) = row(pid)? {
            table.insert(pid, row);
        }
    }
    Ok(table)
}

/// Nothing for a process that has gone meanwhile.
fn row(pid: Pid) -> io::Result<Option<Row>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => parse(&stat)
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has another form"))),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The fields after the name, which stands in parentheses and may itself hold some.
fn parse(stat: &[u8]) -> Option<Row> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Row {
        ended: matches!(*fields.first()?, "Z" | "X" | "x"),
        parent: Pid::from_raw(fields.get(1)?.parse().ok()?),
        started: fields.get(19)?.parse().ok()?,
    })
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ESRCH as i32)
}

fn below(table: &BTreeMap<Pid, Row>, root: Pid) -> BTreeSet<Pid> {
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        for (pid, row) in table {
            if row.parent == parent && *pid != root && found.insert(*pid) {
                open.push(*pid);
            }
        }
    }
    found
}

fn is_running(pid: Pid, started: u64) -> bool {
    matches!(row(pid), Ok(Some(row)) if row.started == started && !row.ended)
}

/// Signals a process, unless it has ended and its pid may be another's.
fn signal(pid: Pid, started: u64, signal: Signal) -> Result<(), KillTreeError> {
    if !is_running(pid, started) {
        return Ok(());
    }
    match kill(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(KillTreeError::Signal(pid, errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = b"7 (a) Z (b\xff) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 22 33";
        assert_eq!(
            parse(stat),
            Some(Row {
                parent: Pid::from_raw(3),
                started: 987_654,
                ended: false,
            })
        );
        assert_eq!(parse(b"7 (a) S"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn own_and_first_processes_are_refused() {
        for pid in [
            Pid::this(),
            Pid::from_raw(1),
            Pid::from_raw(0),
            Pid::from_raw(-5),
        ] {
            assert!(matches!(kill_tree(pid), Err(KillTreeError::Refused(_))));
        }
    }
}
