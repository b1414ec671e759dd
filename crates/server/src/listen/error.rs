//! Why the server cannot listen.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Something answers at the socket.
    #[error("listen at {path}: another server answers there")]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else stands at the socket's path.
    #[error("listen at {path}: what is there is not a socket; it was left alone")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Others may reach into the socket's directory.
    #[error(
        "listen in {path}: the directory has to belong to the user who runs the server, and to nobody else (mode 0700)"
    )]
    OpenDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The path has no room in the address of a socket.
    #[error("listen at {path}: the path is longer than a socket's may be")]
    PathTooLong {
        /// The path.
        path: PathBuf,
    },
    /// The address is reachable from other machines, and nobody asked for that.
    #[error(
        "listen at {address}: other machines could reach it; allow remote connections if that is meant"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The socket could not be prepared.
    #[error("listen at {path}")]
    Unix {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The address could not be bound.
    #[error("listen at {address}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ListenError {
    /// Stable, in snake case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "socket_in_use",
            Self::NotASocket { .. } => "socket_path_taken",
            Self::OpenDirectory { .. } => "socket_directory_open",
            Self::PathTooLong { .. } => "socket_path_too_long",
            Self::NotLoopback { .. } => "address_not_loopback",
            Self::Unix { .. } | Self::Tcp { .. } => "listen_failed",
        }
    }
}
