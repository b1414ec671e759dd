//! A view as bubblewrap is told about it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::staging::{EMPTY_DIRECTORY, EMPTY_FILE};
use crate::containment::Network;

/// How much shared memory a command gets.
const SHARED_BYTES: u64 = 1 << 30;

/// One mount, in the order of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mounted {
    /// Nothing is mounted: a directory on the way to something.
    Way {
        target: PathBuf,
    },
    NoDirectory {
        target: PathBuf,
    },
    NoFile {
        target: PathBuf,
    },
    Fresh {
        target: PathBuf,
        mode: u32,
        bytes: u64,
    },
    Staged {
        source: PathBuf,
        target: PathBuf,
        writable: bool,
    },
}

impl Mounted {
    pub(super) fn target(&self) -> &Path {
        match self {
            Self::Way { target }
            | Self::NoDirectory { target }
            | Self::NoFile { target }
            | Self::Fresh { target, .. }
            | Self::Staged { target, .. } => target,
        }
    }

    pub(super) const fn is_writable(&self) -> bool {
        matches!(
            self,
            Self::Fresh { .. } | Self::Staged { writable: true, .. }
        )
    }
}

/// Everything bubblewrap is told.
#[derive(Debug)]
pub(super) struct Wrapping {
    pub(super) network: Network,
    pub(super) in_user_namespace: bool,
    pub(super) proc_read_only: Vec<&'static str>,
    pub(super) proc_masked: Vec<&'static str>,
    pub(super) mounted: Vec<Mounted>,
}

impl Wrapping {
    fn is_filled(&self, directory: &Path) -> bool {
        self.mounted
            .iter()
            .any(|other| other.target() != directory && other.target().starts_with(directory))
    }

    /// The arguments, each ended by a null byte.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut words = Words::default();
        words.push(["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
        if self.in_user_namespace {
            words.push(["--unshare-user"]);
        }
        if self.network == Network::None {
            words.push(["--unshare-net"]);
        }
        words.push(["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]);
        let shared = SHARED_BYTES.to_string();
        words.push(["--perms", "1777", "--size", &shared, "--tmpfs", "/dev/shm"]);
        words.push(["--remount-ro", "/dev"]);
        for path in &self.proc_read_only {
            words.push(["--ro-bind", path, path]);
        }
        for path in &self.proc_masked {
            if Path::new(path).is_dir() {
                words.push(["--tmpfs", path, "--remount-ro", path]);
            } else {
                words.push(["--ro-bind", EMPTY_FILE, path]);
            }
        }
        let mut filled = Vec::new();
        for mounted in &self.mounted {
            match mounted {
                // Something below needs a directory made in it, so it is closed only when all of them are.
                Mounted::NoDirectory { target } if self.is_filled(target) => {
                    words.push([OsStr::new("--tmpfs"), target.as_os_str()]);
                    filled.push(target);
                }
                _ => words.mount(mounted),
            }
        }
        for target in filled {
            words.push([OsStr::new("--remount-ro"), target.as_os_str()]);
        }
        words.push(["--chdir", "/"]);
        words.0
    }
}

#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    fn push<T: AsRef<OsStr>>(&mut self, words: impl IntoIterator<Item = T>) {
        for word in words {
            self.0.extend_from_slice(word.as_ref().as_bytes());
            self.0.push(0);
        }
    }

    fn mount(&mut self, mounted: &Mounted) {
        let target = mounted.target().as_os_str();
        match mounted {
            // Made by bubblewrap itself it would be the builder's alone.
            Mounted::Way { .. } => {
                self.push([
                    OsStr::new("--perms"),
                    OsStr::new("0755"),
                    OsStr::new("--dir"),
                    target,
                ]);
            }
            Mounted::NoDirectory { .. } => {
                self.push([OsStr::new("--ro-bind"), OsStr::new(EMPTY_DIRECTORY), target]);
            }
            Mounted::NoFile { .. } => {
                self.push([OsStr::new("--ro-bind"), OsStr::new(EMPTY_FILE), target]);
            }
            Mounted::Fresh { mode, bytes, .. } => {
                let (mode, bytes) = (format!("{mode:o}"), bytes.to_string());
                self.push(["--perms", &mode, "--size", &bytes, "--tmpfs"].map(OsString::from));
                self.push([target]);
            }
            Mounted::Staged {
                source, writable, ..
            } => {
                let how = if *writable { "--bind" } else { "--ro-bind" };
                self.push([OsStr::new(how), source.as_os_str(), target]);
            }
        }
    }
}
