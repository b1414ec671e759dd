//! Linux and its relatives.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag};
use nix::sys::stat::{self, FchmodatFlags, FileStat, Mode, SFlag};
use nix::unistd::{self, UnlinkatFlags};

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    Symlink,
    /// A FIFO, socket or device: never opened.
    Special,
}

/// What tells one file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

/// What is known about a file without opening it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata {
    pub(crate) kind: EntryKind,
    pub(crate) identity: FileIdentity,
    pub(crate) size: u64,
    /// Permission bits.
    pub(crate) mode: u32,
    /// A character device that no driver has: how an overlay's upper layer says that a name is gone.
    pub(crate) whiteout: bool,
}

impl From<FileStat> for Metadata {
    #[allow(clippy::unnecessary_cast, reason = "the widths differ between systems")]
    fn from(found: FileStat) -> Self {
        let kind = match SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFREG => EntryKind::File,
            SFlag::S_IFDIR => EntryKind::Directory,
            SFlag::S_IFLNK => EntryKind::Symlink,
            _ => EntryKind::Special,
        };
        Self {
            kind,
            identity: FileIdentity {
                device: found.st_dev as u64,
                inode: found.st_ino as u64,
            },
            size: u64::try_from(found.st_size).unwrap_or(0),
            mode: found.st_mode as u32 & 0o7777,
            whiteout: found.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFCHR.bits()
                && found.st_rdev == 0,
        }
    }
}

pub(super) fn name(bytes: &[u8]) -> io::Result<CString> {
    if bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not the name of a directory entry",
        ));
    }
    CString::new(bytes).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Opens one entry. `openat2` refuses every detour; without it, one component and `O_NOFOLLOW` leave no room for one either.
fn open_at(
    directory: BorrowedFd<'_>,
    entry: &[u8],
    flags: OFlag,
    mode: Mode,
) -> io::Result<OwnedFd> {
    static WITHOUT_OPENAT2: AtomicBool = AtomicBool::new(false);
    let entry = name(entry)?;
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    if !WITHOUT_OPENAT2.load(Ordering::Relaxed) {
        let resolve = ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags).mode(mode).resolve(resolve);
        match fcntl::openat2(directory, entry.as_c_str(), how) {
            // Older kernels do not know the call, and sandboxes may refuse it.
            Err(Errno::ENOSYS | Errno::EPERM) => WITHOUT_OPENAT2.store(true, Ordering::Relaxed),
            other => return other.map_err(Into::into),
        }
    }
    fcntl::openat(directory, entry.as_c_str(), flags, mode).map_err(Into::into)
}

/// Opens the directory a walk starts from. A link in its place is refused.
pub(crate) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    fcntl::open(path, flags, Mode::empty()).map_err(Into::into)
}

/// Opens a subdirectory.
pub(crate) fn open_directory(parent: BorrowedFd<'_>, entry: &[u8]) -> io::Result<OwnedFd> {
    open_at(
        parent,
        entry,
        OFlag::O_RDONLY | OFlag::O_DIRECTORY,
        Mode::empty(),
    )
}

/// Opens a file for reading. If a FIFO took its place meanwhile this does not block, and the caller sees the kind by [`metadata_of`].
pub(crate) fn open_file(parent: BorrowedFd<'_>, entry: &[u8]) -> io::Result<File> {
    open_at(
        parent,
        entry,
        OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY,
        Mode::empty(),
    )
    .map(File::from)
}

/// Creates a file that must not exist.
pub(crate) fn create_file(
    parent: BorrowedFd<'_>,
    entry: &[u8],
    executable: bool,
) -> io::Result<File> {
    let mode = if executable { 0o777 } else { 0o666 };
    open_at(
        parent,
        entry,
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL,
        Mode::from_bits_truncate(mode),
    )
    .map(File::from)
}

/// Creates a subdirectory that must not exist.
pub(crate) fn create_directory(parent: BorrowedFd<'_>, entry: &[u8]) -> io::Result<()> {
    stat::mkdirat(
        parent,
        name(entry)?.as_c_str(),
        Mode::from_bits_truncate(0o777),
    )
    .map_err(Into::into)
}

/// Creates a symbolic link that must not exist.
pub(crate) fn create_symlink(
    parent: BorrowedFd<'_>,
    entry: &[u8],
    target: &[u8],
) -> io::Result<()> {
    let target = CString::new(target).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    unistd::symlinkat(target.as_c_str(), parent, name(entry)?.as_c_str()).map_err(Into::into)
}

/// Looks at an entry without opening it or following it.
pub(crate) fn metadata_at(parent: BorrowedFd<'_>, entry: &[u8]) -> io::Result<Metadata> {
    let found = stat::fstatat(
        parent,
        name(entry)?.as_c_str(),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    )?;
    Ok(found.into())
}

/// Looks at an open file.
pub(crate) fn metadata_of(file: impl AsFd) -> io::Result<Metadata> {
    Ok(stat::fstat(file)?.into())
}

/// The text of a symbolic link.
pub(crate) fn read_link(parent: BorrowedFd<'_>, entry: &[u8]) -> io::Result<Vec<u8>> {
    Ok(fcntl::readlinkat(parent, name(entry)?.as_c_str())?.into_vec())
}

/// The names in a directory, without `.` and `..`, in no particular order.
pub(crate) fn entries(directory: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
    let mut stream = Dir::from_fd(directory.try_clone_to_owned()?)?;
    let mut names = Vec::new();
    for entry in stream.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

/// Removes an entry that is not a directory.
pub(crate) fn remove_file(parent: BorrowedFd<'_>, entry: &[u8]) -> io::Result<()> {
    unistd::unlinkat(parent, name(entry)?.as_c_str(), UnlinkatFlags::NoRemoveDir)
        .map_err(Into::into)
}

/// Removes an empty directory.
pub(crate) fn remove_directory(parent: BorrowedFd<'_>, entry: &[u8]) -> io::Result<()> {
    unistd::unlinkat(parent, name(entry)?.as_c_str(), UnlinkatFlags::RemoveDir).map_err(Into::into)
}

/// Moves an entry to another open directory.
pub(crate) fn rename_at(
    from: BorrowedFd<'_>,
    old: &[u8],
    to: BorrowedFd<'_>,
    new: &[u8],
) -> io::Result<()> {
    fcntl::renameat(from, name(old)?.as_c_str(), to, name(new)?.as_c_str()).map_err(Into::into)
}

/// Gives the owner all rights on a subdirectory, without following a link that may have taken its place.
pub(crate) fn chmod_own(parent: BorrowedFd<'_>, entry: &[u8]) -> io::Result<()> {
    let directory = open_at(
        parent,
        entry,
        OFlag::O_PATH | OFlag::O_DIRECTORY,
        Mode::empty(),
    )?;
    // An `O_PATH` descriptor cannot be given to fchmod; its name in /proc can be given to chmod.
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    stat::fchmodat(
        fcntl::AT_FDCWD,
        path.as_str(),
        Mode::S_IRWXU,
        FchmodatFlags::FollowSymlink,
    )
    .map_err(Into::into)
}

/// Renames a file to a name that must be free, atomically.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match fcntl::renameat2(
        fcntl::AT_FDCWD,
        from,
        fcntl::AT_FDCWD,
        to,
        RenameFlags::RENAME_NOREPLACE,
    ) {
        // Some file systems lack the flag; a hard link has the same meaning.
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        other => other.map_err(Into::into),
    }
}

/// How much memory a process has in use; none if the system does not say.
pub(crate) fn resident_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Opens a file that somebody else may have put there: no link is followed in its last component, and a FIFO does not block.
pub(crate) fn open_foreign_file(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_RDONLY
        | OFlag::O_NOFOLLOW
        | OFlag::O_NONBLOCK
        | OFlag::O_NOCTTY
        | OFlag::O_CLOEXEC;
    let file = File::from(fcntl::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "not a regular file",
    ))
}
