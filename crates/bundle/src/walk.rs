//! Walking a bundle that may have been prepared by an enemy: no symlink is followed, nothing but a regular file is opened.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};

use crate::layout::{Area, directory_area};

/// What stands at a place of the bundle.
pub(crate) enum Found {
    /// A regular file, opened for reading.
    File(File),
    /// A directory of the layout with nothing in it.
    EmptyDirectory,
    /// A directory the layout does not have. It is not looked into.
    ForeignDirectory,
    /// Neither a file nor a directory, or a name that cannot be written down; the text says what.
    Refused(&'static str),
    /// Something that could not be looked at.
    Unreadable(io::Error),
}

/// An open bundle directory. Everything inside is reached from here, so renaming the directory in between changes nothing.
#[derive(Debug)]
pub(crate) struct BundleDir {
    root: OwnedFd,
}

impl BundleDir {
    /// Opens the directory. The path itself is the caller's and may lead through symlinks.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Self { root: file.into() })
    }

    /// A file at the root of the bundle, `None` if there is nothing of that name.
    pub(crate) fn root_file(&self, name: &str) -> Option<Found> {
        match look(self.root.as_fd(), name) {
            Look::Gone => None,
            Look::Directory => Some(Found::ForeignDirectory),
            Look::Found(found) => Some(found),
        }
    }

    /// Visits everything the seal covers, in no particular order. Reports and verdicts are left out.
    pub(crate) fn walk<E>(
        &self,
        visit: &mut dyn FnMut(&str, Found) -> Result<(), E>,
    ) -> Result<(), E> {
        walk_directory(&self.root, "", Area::Sealed, visit).map(drop)
    }

    /// Visits the verdicts.
    pub(crate) fn walk_verdicts<E>(
        &self,
        visit: &mut dyn FnMut(&str, Found) -> Result<(), E>,
    ) -> Result<(), E> {
        let name = crate::layout::VERDICTS;
        match look(self.root.as_fd(), name) {
            Look::Directory => match open_directory(&self.root, name) {
                Ok(fd) => walk_directory(&fd, name, Area::Verdicts, visit).map(drop),
                Err(error) => visit(name, Found::Unreadable(error.into())),
            },
            // Anything else of that name is reported by the walk over the root.
            Look::Gone | Look::Found(_) => Ok(()),
        }
    }
}

/// Visits one directory and gives the number of its entries.
fn walk_directory<E>(
    directory: &OwnedFd,
    prefix: &str,
    area: Area,
    visit: &mut dyn FnMut(&str, Found) -> Result<(), E>,
) -> Result<u64, E> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let here = if prefix.is_empty() { "." } else { prefix };
    let mut listing = match Dir::openat(directory, ".", flags, Mode::empty()) {
        Ok(listing) => listing,
        Err(error) => {
            visit(here, Found::Unreadable(error.into()))?;
            return Ok(1);
        }
    };
    let mut count = 0;
    for entry in listing.iter() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                visit(here, Found::Unreadable(error.into()))?;
                return Ok(count + 1);
            }
        };
        let raw = entry.file_name();
        if raw == c"." || raw == c".." {
            continue;
        }
        count += 1;
        let Some(name) = plain_name(raw) else {
            let shown = raw.to_string_lossy().escape_debug().to_string();
            visit(
                &join(prefix, &shown),
                Found::Refused("a name that is not plain text"),
            )?;
            continue;
        };
        let path = join(prefix, name);
        match look(directory.as_fd(), name) {
            Look::Gone => {}
            Look::Found(found) => visit(&path, found)?,
            Look::Directory => walk_child(directory, name, &path, area, visit)?,
        }
    }
    Ok(count)
}

fn walk_child<E>(
    directory: &OwnedFd,
    name: &str,
    path: &str,
    area: Area,
    visit: &mut dyn FnMut(&str, Found) -> Result<(), E>,
) -> Result<(), E> {
    match (area, directory_area(path)) {
        (Area::Sealed, Some(Area::Sealed)) => {}
        (Area::Sealed, Some(Area::Reports | Area::Verdicts)) => return Ok(()),
        _ => return visit(path, Found::ForeignDirectory),
    }
    match open_directory(directory, name) {
        Ok(child) => {
            if walk_directory(&child, path, area, visit)? == 0 {
                visit(path, Found::EmptyDirectory)?;
            }
            Ok(())
        }
        Err(error) => visit(path, Found::Unreadable(error.into())),
    }
}

enum Look {
    Gone,
    Directory,
    Found(Found),
}

/// Looks at a name without following it, and opens it only if it is a regular file, before and after.
fn look(directory: std::os::fd::BorrowedFd<'_>, name: &str) -> Look {
    let stat = match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::ENOENT) => return Look::Gone,
        Err(error) => return Look::Found(Found::Unreadable(error.into())),
    };
    match file_type(&stat) {
        SFlag::S_IFDIR => Look::Directory,
        SFlag::S_IFREG => {
            // Without blocking, should it have become a pipe in between.
            let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
            let file = match openat(directory, name, flags, Mode::empty()) {
                Ok(fd) => File::from(fd),
                Err(error) => return Look::Found(Found::Unreadable(error.into())),
            };
            Look::Found(match file.metadata() {
                Ok(metadata) if metadata.is_file() => Found::File(file),
                Ok(_) => Found::Refused("something that changes while it is read"),
                Err(error) => Found::Unreadable(error),
            })
        }
        SFlag::S_IFLNK => Look::Found(Found::Refused("a symlink")),
        SFlag::S_IFIFO => Look::Found(Found::Refused("a named pipe")),
        SFlag::S_IFSOCK => Look::Found(Found::Refused("a socket")),
        _ => Look::Found(Found::Refused("a device")),
    }
}

fn open_directory(directory: &OwnedFd, name: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}

fn file_type(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn plain_name(raw: &CStr) -> Option<&str> {
    let name = raw.to_str().ok()?;
    (!name.chars().any(char::is_control)).then_some(name)
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}/{name}")
    }
}
