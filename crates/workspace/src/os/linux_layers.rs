//! What overlays need: extended attributes, whiteouts, owners and times.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::fcntl::{self, AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{self, Mode, SFlag, UtimensatFlags};
use nix::sys::time::TimeSpec;
use nix::unistd::{self, Gid, Uid};
use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::system::name;

/// The names of an open file's extended attributes. A file system without any has none.
pub(crate) fn attributes(file: impl AsFd) -> io::Result<Vec<Vec<u8>>> {
    let mut buffer = vec![0_u8; 1024];
    loop {
        match rustix::fs::flistxattr(&file, &mut buffer[..]) {
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Err(Errno::RANGE) => buffer.resize(buffer.len() * 4, 0),
            Err(error) => return Err(error.into()),
            Ok(read) => {
                return Ok(buffer[..read]
                    .split(|byte| *byte == 0)
                    .filter(|name| !name.is_empty())
                    .map(<[u8]>::to_vec)
                    .collect());
            }
        }
    }
}

/// The first bytes of an extended attribute; none if it is not there.
pub(crate) fn attribute(file: impl AsFd, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = vec![0_u8; 64];
    match rustix::fs::fgetxattr(&file, name, &mut buffer[..]) {
        Ok(read) => {
            buffer.truncate(read);
            Ok(Some(buffer))
        }
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sets an extended attribute.
pub(crate) fn set_attribute(file: impl AsFd, name: &str, value: &[u8]) -> io::Result<()> {
    rustix::fs::fsetxattr(file, name, value, XattrFlags::empty()).map_err(Into::into)
}

/// Removes an extended attribute.
pub(crate) fn remove_attribute(file: impl AsFd, name: &str) -> io::Result<()> {
    rustix::fs::fremovexattr(file, name).map_err(Into::into)
}

/// Creates a whiteout where nothing may be. Unlike other devices, everybody may.
pub(crate) fn create_whiteout(parent: BorrowedFd<'_>, entry: &[u8]) -> io::Result<()> {
    stat::mknodat(
        parent,
        name(entry)?.as_c_str(),
        SFlag::S_IFCHR,
        Mode::empty(),
        0,
    )
    .map_err(Into::into)
}

/// Gives an entry, which is not followed, to somebody.
pub(crate) fn give_to(
    parent: BorrowedFd<'_>,
    entry: &[u8],
    (uid, gid): (u32, u32),
) -> io::Result<()> {
    unistd::fchownat(
        parent,
        name(entry)?.as_c_str(),
        Some(Uid::from_raw(uid)),
        Some(Gid::from_raw(gid)),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    )
    .map_err(Into::into)
}

/// Sets when an entry, which is not followed, was last read and modified.
pub(crate) fn set_modified(parent: BorrowedFd<'_>, entry: &[u8], seconds: i64) -> io::Result<()> {
    let time = TimeSpec::new(seconds, 0);
    stat::utimensat(
        parent,
        name(entry)?.as_c_str(),
        &time,
        &time,
        UtimensatFlags::NoFollowSymlink,
    )
    .map_err(Into::into)
}

/// Opens a file for reading by a path of several components, none of which may be a link.
pub(crate) fn open_beneath(root: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
        .resolve(
            ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_MAGICLINKS,
        );
    Ok(File::from(fcntl::openat2(root, path, how)?))
}

/// What tells this start of the machine from every other.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim_end()
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_listed_and_read() {
        let directory = tempfile::tempdir().unwrap();
        let open = File::open(directory.path()).unwrap();
        assert!(attributes(&open).unwrap().is_empty());
        assert_eq!(attribute(&open, "user.a").unwrap(), None);
        set_attribute(&open, "user.a", b"y").unwrap();
        set_attribute(&open, "user.b", b"").unwrap();
        let mut names = attributes(&open).unwrap();
        names.sort();
        assert_eq!(names, [b"user.a", b"user.b"]);
        assert_eq!(attribute(&open, "user.a").unwrap().unwrap(), b"y");
        remove_attribute(&open, "user.a").unwrap();
        assert_eq!(attributes(&open).unwrap(), [b"user.b"]);
        let long = format!("user.{}", "n".repeat(200));
        for index in 0..9 {
            set_attribute(&open, &format!("{long}{index}"), b"").unwrap();
        }
        assert_eq!(attributes(&open).unwrap().len(), 10);
    }
}
