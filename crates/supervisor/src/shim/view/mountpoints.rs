//! Places to mount on below directories that the command may write.
//!
//! What stands there may be the work of an earlier command of the same run, so no symlink is followed and no name is trusted.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, unlinkat};

use super::places::Kind;
use crate::containment::{AgentUser, is_file_when_absent};

/// How a place to mount on is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Making {
    /// Whether what stands in the way may go. In an overlay that is a change of its upper directory and nothing else.
    pub(super) may_replace: bool,
    /// Who owns the directories that had to be made.
    pub(super) owner: Option<AgentUser>,
}

impl Making {
    /// Makes sure that something stands at `path` below `root` that can be mounted on, and says what it is.
    pub(super) fn ensure(
        self,
        root: OwnedFd,
        path: &Path,
        wanted: Option<Kind>,
    ) -> io::Result<Kind> {
        let mut parts = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        let Some(last) = parts.next_back() else {
            return Err(Errno::EINVAL.into());
        };
        let mut directory = root;
        for name in parts {
            self.one(&directory, Path::new(name), Some(Kind::Directory))?;
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            directory = openat(&directory, name, flags, Mode::empty())?;
        }
        self.one(&directory, Path::new(last), wanted)
    }

    fn one(self, directory: &OwnedFd, name: &Path, wanted: Option<Kind>) -> io::Result<Kind> {
        let found = match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => match stat.st_mode & nix::libc::S_IFMT {
                nix::libc::S_IFDIR => Some(Kind::Directory),
                nix::libc::S_IFLNK => None,
                _ => Some(Kind::File),
            },
            Err(Errno::ENOENT) => return self.make(directory, name, wanted),
            Err(error) => return Err(error.into()),
        };
        match found {
            Some(found) if wanted.is_none_or(|wanted| wanted == found) => Ok(found),
            Some(Kind::Directory) => Err(Errno::EISDIR.into()),
            Some(Kind::File) | None if self.may_replace => {
                unlinkat(directory, name, UnlinkatFlags::NoRemoveDir)?;
                self.make(directory, name, wanted)
            }
            Some(Kind::File) => Err(Errno::ENOTDIR.into()),
            None => Err(Errno::ELOOP.into()),
        }
    }

    fn make(self, directory: &OwnedFd, name: &Path, wanted: Option<Kind>) -> io::Result<Kind> {
        let kind = wanted.unwrap_or_else(|| {
            if name.file_name().is_some_and(is_file_when_absent) {
                Kind::File
            } else {
                Kind::Directory
            }
        });
        match kind {
            Kind::Directory => mkdirat(directory, name, Mode::from_bits_truncate(0o755))?,
            Kind::File => {
                let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
                openat(directory, name, flags, Mode::from_bits_truncate(0o600))?;
            }
        }
        if let Some(AgentUser { uid, gid }) = self.owner {
            fchownat(
                directory.as_fd(),
                name,
                Some(Uid::from_raw(uid)),
                Some(Gid::from_raw(gid)),
                AtFlags::AT_SYMLINK_NOFOLLOW,
            )?;
        }
        Ok(kind)
    }
}
