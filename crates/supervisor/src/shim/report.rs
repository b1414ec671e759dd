//! What the first process of a namespace and the command's child tell the shim, as fixed messages on a packet socket.
//!
//! Senders run between clone and exec and allocate nothing. The kernel stamps each message with its sender's pid as the shim sees it,
//! which is how the shim learns the command's pid outside the namespace.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixCredentials, recvmsg,
    setsockopt, socketpair, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// How long our own code may take between clone and the command's first message. It only makes a few system calls.
const HANDSHAKE_SECONDS: i64 = 20;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The namespaces are set up; the number is 0 or why `/proc` could not be mounted afresh.
    Entered { proc_errno: i32 },
    /// The number of processes is limited; the number is 0 or why it is not.
    Limited { errno: i32 },
    /// A step of setting them up was refused.
    NotEntered { step: i32, errno: i32 },
    /// The command's child could not be forked.
    NotForked { errno: i32 },
    /// The command's child is alive and waits to be let go.
    Alive,
    /// The command ended with this wait status.
    MainEnded { status: i32 },
    /// The view could not be made; the complaints say why.
    NotBuilt,
    /// The layers in force when the command began, and its user.
    Contained { layers: i32, uid: i32 },
}

const MESSAGE_LEN: usize = 12;

/// The byte that answers.
static GO: u8 = 1;

impl Report {
    fn to_bytes(self) -> [u8; MESSAGE_LEN] {
        let (tag, first, second) = match self {
            Self::Entered { proc_errno } => (1, proc_errno, 0),
            Self::NotEntered { step, errno } => (2, step, errno),
            Self::NotForked { errno } => (3, errno, 0),
            Self::Alive => (4, 0, 0),
            Self::MainEnded { status } => (5, status, 0),
            Self::Limited { errno } => (8, errno, 0),
            Self::NotBuilt => (6, 0, 0),
            Self::Contained { layers, uid } => (7, layers, uid),
        };
        let mut bytes = [0; MESSAGE_LEN];
        let fields: [i32; 3] = [tag, first, second];
        for (place, field) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *place = field.to_ne_bytes();
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([tag, first, second], []) = bytes.as_chunks::<4>() else {
            return None;
        };
        let (first, second) = (i32::from_ne_bytes(*first), i32::from_ne_bytes(*second));
        match i32::from_ne_bytes(*tag) {
            1 => Some(Self::Entered { proc_errno: first }),
            2 => Some(Self::NotEntered {
                step: first,
                errno: second,
            }),
            3 => Some(Self::NotForked { errno: first }),
            4 => Some(Self::Alive),
            5 => Some(Self::MainEnded { status: first }),
            8 => Some(Self::Limited { errno: first }),
            6 => Some(Self::NotBuilt),
            7 => Some(Self::Contained {
                layers: first,
                uid: second,
            }),
            _ => None,
        }
    }

    /// Sends the message. Async-signal-safe. A failure means that the shim is gone, which the sender notices elsewhere.
    pub(super) fn send(self, fd: RawFd) {
        let bytes = self.to_bytes();
        // SAFETY: the buffer is valid for its length.
        unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    }
}

/// The shim's end.
#[derive(Debug)]
pub(super) struct Reports(OwnedFd);

/// A message and the pid of its sender as the shim sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) report: Report,
    pub(super) sender: i32,
}

/// What was there without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Message(Received),
    Nothing,
    /// All senders are gone.
    Closed,
}

impl Reports {
    /// Both ends: ours, and the one for the processes below.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        setsockopt(&ours, sockopt::PassCred, &true)?;
        setsockopt(
            &ours,
            sockopt::ReceiveTimeout,
            &TimeVal::seconds(HANDSHAKE_SECONDS),
        )?;
        Ok((Self(ours), theirs))
    }

    /// The next message during the handshake. `None` means that all senders are gone.
    pub(super) fn wait(&self) -> io::Result<Option<Received>> {
        self.receive(MsgFlags::empty())
    }

    /// A message that is already there.
    pub(super) fn take(&self) -> io::Result<Taken> {
        match self.receive(MsgFlags::MSG_DONTWAIT) {
            Ok(Some(received)) => Ok(Taken::Message(received)),
            Ok(None) => Ok(Taken::Closed),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Taken::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Lets the sender of the last message go on.
    pub(super) fn answer(&self) {
        // SAFETY: the buffer is one byte. A failure means that the sender is gone.
        unsafe {
            libc::send(
                self.0.as_raw_fd(),
                (&raw const GO).cast(),
                1,
                libc::MSG_NOSIGNAL,
            )
        };
    }

    fn receive(&self, flags: MsgFlags) -> io::Result<Option<Received>> {
        let mut bytes = [0; MESSAGE_LEN];
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let mut space = cmsg_space!(UnixCredentials);
        let message = loop {
            match recvmsg::<()>(self.0.as_raw_fd(), &mut buffers, Some(&mut space), flags) {
                Ok(message) => break message,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        let length = message.bytes;
        if length == 0 {
            return Ok(None);
        }
        let sender = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmCredentials(credentials) => Some(credentials.pid()),
            _ => None,
        });
        let report = Report::from_bytes(&bytes[..length]);
        match (report, sender) {
            (Some(report), Some(sender)) => Ok(Some(Received { report, sender })),
            _ => Err(io::Error::other("a report from below had an unknown form")),
        }
    }

    pub(super) fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_with_their_senders_pid() {
        let (ours, theirs) = Reports::pair().unwrap();
        assert_eq!(ours.take().unwrap(), Taken::Nothing);
        let sent = [
            Report::Entered { proc_errno: 1 },
            Report::NotEntered { step: 2, errno: 13 },
            Report::NotForked { errno: 11 },
            Report::Alive,
            Report::MainEnded { status: 0x8b },
            Report::NotBuilt,
            Report::Limited { errno: 1 },
            Report::Contained { layers: 5, uid: -2 },
        ];
        for report in sent {
            report.send(theirs.as_raw_fd());
        }
        let own = i32::try_from(std::process::id()).unwrap();
        for report in sent {
            assert_eq!(
                ours.wait().unwrap(),
                Some(Received {
                    report,
                    sender: own
                })
            );
        }
        drop(theirs);
        assert_eq!(ours.wait().unwrap(), None);
        assert_eq!(ours.take().unwrap(), Taken::Closed);
    }
}
