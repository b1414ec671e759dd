//! Mounts of a namespace of our own. Sources are descriptors, so that no name is looked up twice and none needs escaping.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MsFlags, mount};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// Opens what has this name now, refusing any symlink on the way: the name was resolved before.
pub(crate) fn open_resolved(path: &Path) -> io::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    Ok(openat2(AT_FDCWD, path, how)?)
}

/// A name for an open descriptor that mount understands. It needs a `/proc` of this process's namespace.
fn name_of(fd: impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()))
}

/// Shows an open file or directory, with what is mounted below it, at another place.
pub(crate) fn bind(source: impl AsFd, target: &Path) -> io::Result<()> {
    Ok(mount(
        Some(&name_of(source)),
        target,
        None::<&str>,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        None::<&str>,
    )?)
}

/// Mounts an empty file system in memory.
pub(crate) fn memory(target: &Path) -> io::Result<()> {
    Ok(mount(
        Some("tmpfs"),
        target,
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=0755,size=1m"),
    )?)
}

/// The layers of an overlay.
#[derive(Debug)]
pub(crate) struct Layered<'a> {
    pub(crate) lower: &'a OwnedFd,
    pub(crate) upper: &'a OwnedFd,
    pub(crate) work: &'a OwnedFd,
    /// Whether this process's rights come from a user namespace only.
    pub(crate) in_user_namespace: bool,
}

/// Mounts an overlay whose upper directory holds whole files under their own names, so that it can be read without the kernel's help.
///
/// It is volatile: what a command wrote is not forced to the disk when its mount goes, which would make every end of a command wait for
/// all that the machine has to write. What has to outlive a power cut is read from the upper directory and written elsewhere.
pub(crate) fn overlay(layers: &Layered<'_>, target: &Path) -> io::Result<()> {
    forget_volatile(layers.work)?;
    let kind = if layers.in_user_namespace {
        "userxattr"
    } else {
        "redirect_dir=off"
    };
    let options = format!(
        "lowerdir={},upperdir={},workdir={},{kind},metacopy=off,index=off,volatile",
        name_of(layers.lower).display(),
        name_of(layers.upper).display(),
        name_of(layers.work).display(),
    );
    Ok(mount(
        Some("overlay"),
        target,
        Some("overlay"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(options.as_str()),
    )?)
}

/// Takes away the mark that an earlier mount over the same layers was volatile. The kernel refuses to mount over it, as after a power cut
/// the layers may hold anything; but a run of before a power cut is never gone on with from its layers.
fn forget_volatile(work: &OwnedFd) -> io::Result<()> {
    for (path, kind) in [
        ("work/incompat/volatile/dirty", UnlinkatFlags::NoRemoveDir),
        ("work/incompat/volatile", UnlinkatFlags::RemoveDir),
        ("work/incompat", UnlinkatFlags::RemoveDir),
    ] {
        match unlinkat(work, path, kind) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
