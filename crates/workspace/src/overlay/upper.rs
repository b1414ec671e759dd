//! Writing an upper layer before anybody has mounted it.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::directory_stack::DirectoryStack;
use crate::os;
use crate::pristine::Owner;

/// Adds entries to an upper layer, in the name of whoever the layer belongs to.
pub(super) struct UpperWriter {
    directories: DirectoryStack,
    owner: Option<Owner>,
}

impl UpperWriter {
    pub(super) fn open(upper: &Path, owner: Option<Owner>) -> io::Result<Self> {
        Ok(Self {
            directories: DirectoryStack::open(upper)?,
            owner,
        })
    }

    /// Writes a file that must not exist.
    pub(super) fn file<E: From<io::Error>>(
        &mut self,
        path: &[u8],
        executable: bool,
        content: impl FnOnce(&mut dyn io::Write) -> Result<(), E>,
    ) -> Result<(), E> {
        let (parent, name) = self.go_to_parent(path)?;
        let mut file = os::create_file(parent, name, executable)?;
        content(&mut file)?;
        self.give(name)?;
        Ok(())
    }

    /// Hands over a file that was written by other means.
    pub(super) fn adopt(&mut self, path: &[u8]) -> io::Result<()> {
        let (_, name) = self.go_to_parent(path)?;
        self.give(name)
    }

    /// Makes a symbolic link.
    pub(super) fn symlink(&mut self, path: &[u8], target: &[u8]) -> io::Result<()> {
        let (parent, name) = self.go_to_parent(path)?;
        os::create_symlink(parent, name, target)?;
        self.give(name)
    }

    /// Makes sure that there is a directory.
    pub(super) fn directory(&mut self, path: &[u8]) -> io::Result<()> {
        self.go_to(path)
    }

    /// Hides what the lower layer has.
    pub(super) fn whiteout(&mut self, path: &[u8]) -> io::Result<()> {
        let (parent, name) = self.go_to_parent(path)?;
        os::create_whiteout(parent, name)
    }

    fn go_to_parent<'a>(&mut self, path: &'a [u8]) -> io::Result<(BorrowedFd<'_>, &'a [u8])> {
        let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        self.go_to(parent)?;
        Ok((self.directories.current()?, name))
    }

    /// Moves to a directory, making what is missing.
    fn go_to(&mut self, wanted: &[u8]) -> io::Result<()> {
        let wanted: Vec<&[u8]> = wanted
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
            .collect();
        let shared = wanted
            .iter()
            .enumerate()
            .take_while(|(index, name)| self.directories.name_at(index + 1) == Some(**name))
            .count();
        while self.directories.depth() > shared {
            self.directories.leave();
        }
        for name in &wanted[shared..] {
            match os::create_directory(self.directories.current()?, name) {
                Ok(()) => self.give(name)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            self.directories.enter(name)?;
        }
        Ok(())
    }

    fn give(&mut self, name: &[u8]) -> io::Result<()> {
        match self.owner {
            Some(Owner { uid, gid }) => os::give_to(self.directories.current()?, name, (uid, gid)),
            None => Ok(()),
        }
    }
}
