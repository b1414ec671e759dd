//! Unix sockets under paths of any length.
//!
//! A socket address holds 108 bytes, and run directories are longer than that. The directory is opened first and the socket is then
//! named as `/proc/self/fd/<n>/<name>`, which is always short.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::libc;
use nix::sys::stat::{Mode, umask};

/// A short name for a socket path. It is valid as long as this value lives.
#[derive(Debug)]
pub(crate) struct ShortPath {
    path: PathBuf,
    _directory: File,
}

impl ShortPath {
    pub(crate) fn of(socket: &Path) -> io::Result<Self> {
        let (Some(directory), Some(name)) = (socket.parent(), socket.file_name()) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a socket path with a directory is needed",
            ));
        };
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(directory)?;
        let path = Path::new("/proc/self/fd")
            .join(directory.as_raw_fd().to_string())
            .join(name);
        Ok(Self {
            path,
            _directory: directory,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Binds a listening socket that only this user may connect to. Single-threaded callers only: the file mode comes from the umask.
pub(crate) fn bind_private(socket: &Path) -> io::Result<UnixListener> {
    let short = ShortPath::of(socket)?;
    let previous = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(short.path());
    umask(previous);
    let listener = bound?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
