//! A path of open directories that may be deeper than a process may have files open.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::os::{self, FileIdentity};

/// The directories from a root down to the current one. Only the lowest are kept open; one that was closed is opened again from its
/// parent, and only if it is still the same directory.
pub(crate) struct DirectoryStack {
    levels: Vec<Level>,
}

struct Level {
    name: Vec<u8>,
    identity: FileIdentity,
    fd: Option<OwnedFd>,
}

impl DirectoryStack {
    /// How many levels stay open below the root.
    const OPEN: usize = 64;

    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let fd = os::open_root(root)?;
        let identity = os::metadata_of(&fd)?.identity;
        Ok(Self {
            levels: vec![Level {
                name: Vec::new(),
                identity,
                fd: Some(fd),
            }],
        })
    }

    /// How many directories the current one is below the root.
    pub(crate) fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// The name by which the directory at `depth` was entered.
    pub(crate) fn name_at(&self, depth: usize) -> Option<&[u8]> {
        self.levels.get(depth).map(|level| level.name.as_slice())
    }

    /// The current directory.
    pub(crate) fn current(&mut self) -> io::Result<BorrowedFd<'_>> {
        let top = self.levels.len() - 1;
        let mut open = top;
        while self.levels[open].fd.is_none() && open > 0 {
            open -= 1;
        }
        for level in open + 1..=top {
            let fd = os::open_directory(self.fd(level - 1)?, &self.levels[level].name)?;
            if os::metadata_of(&fd)?.identity != self.levels[level].identity {
                return Err(io::Error::other(
                    "the directory was replaced while it was read",
                ));
            }
            self.levels[level].fd = Some(fd);
            self.close_above(level);
        }
        self.fd(top)
    }

    fn fd(&self, level: usize) -> io::Result<BorrowedFd<'_>> {
        let fd = self.levels[level].fd.as_ref();
        fd.map(OwnedFd::as_fd)
            .ok_or_else(|| io::Error::other("the directory is not open"))
    }

    fn close_above(&mut self, level: usize) {
        if let Some(distant) = level.checked_sub(Self::OPEN).filter(|distant| *distant > 0) {
            self.levels[distant].fd = None;
        }
    }

    /// Goes down into a subdirectory.
    pub(crate) fn enter(&mut self, name: &[u8]) -> io::Result<()> {
        let fd = os::open_directory(self.current()?, name)?;
        let identity = os::metadata_of(&fd)?.identity;
        self.levels.push(Level {
            name: name.to_vec(),
            identity,
            fd: Some(fd),
        });
        self.close_above(self.levels.len() - 1);
        Ok(())
    }

    /// Goes to the directory of these names, from the root on. What is missing is made, if `make` says so.
    pub(crate) fn go_to(&mut self, wanted: &[impl AsRef<[u8]>], make: bool) -> io::Result<()> {
        let shared = wanted
            .iter()
            .enumerate()
            .take_while(|(index, name)| self.name_at(index + 1) == Some(name.as_ref()))
            .count();
        while self.depth() > shared {
            self.leave();
        }
        for name in &wanted[shared..] {
            if make {
                match os::create_directory(self.current()?, name.as_ref()) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    Ok(()) | Err(_) => {}
                }
            }
            self.enter(name.as_ref())?;
        }
        Ok(())
    }

    /// Goes up again. The root is never left.
    pub(crate) fn leave(&mut self) {
        if self.levels.len() > 1 {
            self.levels.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_level_is_reopened_only_if_it_is_the_same_directory() {
        let root = tempfile::tempdir().unwrap();
        let deep = DirectoryStack::OPEN * 3;
        let path = vec!["d"; deep].join("/");
        std::fs::create_dir_all(root.path().join(&path)).unwrap();
        std::fs::create_dir(root.path().join("d/d/side")).unwrap();
        let mut stack = DirectoryStack::open(root.path()).unwrap();
        for _ in 0..deep {
            stack.enter(b"d").unwrap();
        }
        let open = stack
            .levels
            .iter()
            .filter(|level| level.fd.is_some())
            .count();
        assert!(open <= DirectoryStack::OPEN + 2, "{open}");
        while stack.depth() > 2 {
            stack.leave();
        }
        assert!(os::metadata_at(stack.current().unwrap(), b"side").is_ok());

        for _ in 2..deep {
            stack.enter(b"d").unwrap();
        }
        std::fs::rename(root.path().join("d/d"), root.path().join("elsewhere")).unwrap();
        std::fs::create_dir_all(root.path().join("d/d/d")).unwrap();
        while stack.depth() > 2 {
            stack.leave();
        }
        assert!(stack.current().is_err());
    }
}
