//! What the stage is told, through memory that only it reads.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use serde::{Deserialize, Serialize};

use crate::shim::child::ChildEnds;
use crate::spec::ShimSpec;
use crate::text::RawText;

/// Everything the stage needs to know.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::shim) struct Plan {
    pub(in crate::shim) spec: ShimSpec,
    /// Where the command may write.
    pub(in crate::shim) writable: Vec<RawText>,
    /// What is given to the command's user.
    pub(in crate::shim) owned: Vec<RawText>,
    pub(in crate::shim) fds: Fds,
}

/// The numbers under which the stage inherited its descriptors.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::shim) struct Fds {
    pub(in crate::shim) stdin: RawFd,
    pub(in crate::shim) stdout: RawFd,
    pub(in crate::shim) stderr: RawFd,
    pub(in crate::shim) go: RawFd,
    pub(in crate::shim) error: RawFd,
    pub(in crate::shim) reports: RawFd,
    pub(in crate::shim) adoption: RawFd,
}

impl Plan {
    /// Reads the plan from an inherited descriptor.
    ///
    /// # Safety
    /// The descriptor belongs to nobody else.
    pub(super) unsafe fn read(fd: RawFd) -> io::Result<Self> {
        // SAFETY: the caller says that it is ours.
        let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

impl Fds {
    /// The command's ends.
    ///
    /// # Safety
    /// The descriptors belong to nobody else; this is called once.
    pub(super) unsafe fn ends(self) -> ChildEnds {
        // SAFETY: the caller says that they are ours.
        let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
        ChildEnds {
            stdin: own(self.stdin),
            stdout: own(self.stdout),
            stderr: own(self.stderr),
            go: own(self.go),
            error: own(self.error),
        }
    }
}
