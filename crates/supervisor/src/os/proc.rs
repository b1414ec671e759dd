//! What `/proc` says about processes: identity, parents, names.
//!
//! A process is named by its pid and its start time together; a pid alone may have been given to somebody else by now.

use std::collections::HashMap;
use std::fs;
use std::io;

/// The parts of `/proc/<pid>/stat` that identify a process and place it in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: i32,
    /// The process's own name for itself: untrusted bytes.
    pub(crate) comm: Vec<u8>,
    pub(crate) state: u8,
    pub(crate) parent: i32,
    /// Clock ticks after boot (field 22).
    pub(crate) start_time: u64,
}

impl Stat {
    /// Whether it still runs: a zombie only waits to be reaped.
    pub(crate) fn is_running(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// Reads a process's stat line. `None` means that there is no such process.
pub(crate) fn stat(pid: i32) -> io::Result<Option<Stat>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(line) => parse(&line)
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has an unknown form"))),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ESRCH)
}

fn parse(line: &[u8]) -> Option<Stat> {
    // The name is in parentheses and may itself contain spaces and parentheses, so it ends at the last one.
    let open = line.iter().position(|byte| *byte == b'(')?;
    let close = line.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(line.get(..open)?)
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let comm = line.get(open + 1..close)?.to_vec();
    let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22, counted from the state, which is field 3.
    let start_time = fields.nth(17)?.parse().ok()?;
    Some(Stat {
        pid,
        comm,
        state,
        parent,
        start_time,
    })
}

/// Every process this process can see.
fn all() -> io::Result<Vec<Stat>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match stat(pid) {
            Ok(Some(stat)) => processes.push(stat),
            Ok(None) => {}
            // A process whose line is hidden from this user belongs to somebody else, so it is in no tree of ours.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(processes)
}

/// The processes below `root`, without `root` itself. One scan can miss a process that is being born or reparented while it runs.
pub(crate) fn descendants(root: i32) -> io::Result<Vec<Stat>> {
    Ok(below(root, all()?))
}

fn below(root: i32, processes: Vec<Stat>) -> Vec<Stat> {
    let mut children: HashMap<i32, Vec<Stat>> = HashMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        // Taking the entry out also ends the walk if the scan caught a reused pid as a cycle.
        for child in children.remove(&parent).unwrap_or_default() {
            parents.push(child.pid);
            found.push(child);
        }
    }
    found
}

/// The id of this boot of the machine: a pid and a start time mean something only within it.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Stat {
        Stat {
            pid,
            comm: Vec::new(),
            state: b'S',
            parent,
            start_time: 1,
        }
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let line = b"42 (a) R 1 (b) S 7 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 987654 1 2 3\n";
        let stat = parse(line).unwrap();
        assert_eq!(
            (stat.pid, stat.state, stat.parent, stat.start_time),
            (42, b'S', 7, 987_654)
        );
        assert_eq!(stat.comm, b"a) R 1 (b");
        assert!(parse(b"42 (cut) S 7").is_none());
        assert!(parse(b"").is_none());
    }

    #[test]
    fn this_process_is_found_and_an_impossible_one_is_not() {
        let own = i32::try_from(std::process::id()).unwrap();
        let stat = stat(own).unwrap().unwrap();
        assert_eq!(stat.pid, own);
        assert!(stat.is_running());
        assert_eq!(super::stat(i32::MAX).unwrap(), None);
        assert_eq!(boot_id().unwrap().len(), 36);
    }

    #[test]
    fn descendants_are_the_whole_subtree_without_its_root() {
        let scan = [(1, 0), (2, 1), (3, 2), (4, 3), (5, 1), (9, 9)]
            .map(|(pid, parent)| process(pid, parent));
        let mut pids: Vec<i32> = below(2, scan.to_vec())
            .iter()
            .map(|stat| stat.pid)
            .collect();
        pids.sort_unstable();
        assert_eq!(pids, [3, 4]);
        assert!(below(4, scan.to_vec()).is_empty());
        assert_eq!(below(9, scan.to_vec()).len(), 1);
    }
}
