//! The places to listen at.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::ListenError;
use super::unix::Socket;
use super::{connection, tcp, unix};
use crate::guard::Door;
use crate::pipeline::Pipeline;

/// A place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A Unix socket that only the user of the server can open. Its directory is made if it is missing.
    Unix(PathBuf),
    /// A Unix socket that whoever is shown it can open: nobody else comes through its directory, which is the user's alone.
    Shared(PathBuf),
    /// A TCP address. Port 0 takes a free one.
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Whether it may be one that other machines can reach.
        allow_remote: bool,
    },
}

/// A place where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listening {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP address, with its real port.
    Tcp(SocketAddr),
}

/// A bound listener.
#[derive(Debug)]
pub(crate) enum Listener {
    Unix(Socket),
    Tcp(TcpListener, SocketAddr),
}

impl Listener {
    pub(crate) async fn bind(listen: &Listen) -> Result<Self, ListenError> {
        match listen {
            Listen::Unix(path) => unix::bind(path, 0o600).await.map(Self::Unix),
            Listen::Shared(path) => unix::bind(path, 0o666).await.map(Self::Unix),
            Listen::Tcp {
                address,
                allow_remote,
            } => {
                let (listener, address) = tcp::bind(*address, *allow_remote).await?;
                Ok(Self::Tcp(listener, address))
            }
        }
    }

    pub(crate) fn listening(&self) -> Listening {
        match self {
            Self::Unix(socket) => Listening::Unix(socket.path().to_owned()),
            Self::Tcp(_, address) => Listening::Tcp(*address),
        }
    }

    /// Takes connections until the server is stopping; returns those that are still open.
    pub(crate) async fn serve(self, pipeline: Pipeline) -> JoinSet<()> {
        let app = pipeline.app();
        let stopping = app.stopping.clone();
        // Each listener has its own room, so that strangers on one cannot shut out the owner on another.
        let room = Arc::new(Semaphore::new(app.limits.connections));
        let mut open = JoinSet::new();
        loop {
            let permit = tokio::select! {
                () = stopping.begun() => break,
                permit = room.clone().acquire_owned() => permit.expect("nobody closes the semaphore"),
            };
            let pipeline = pipeline.clone();
            tokio::select! {
                () = stopping.begun() => break,
                accepted = self.accept() => match accepted {
                    Ok(Accepted::Unix(stream)) => {
                        open.spawn(async move {
                            connection::serve(stream, Door::Unix, pipeline).await;
                            drop(permit);
                        });
                    }
                    Ok(Accepted::Tcp(stream, local)) => {
                        open.spawn(async move {
                            connection::serve(stream, Door::Tcp(local), pipeline).await;
                            drop(permit);
                        });
                    }
                    Err(error) => connection::pause_after(&error).await,
                },
            }
            while open.try_join_next().is_some() {}
        }
        open
    }

    async fn accept(&self) -> std::io::Result<Accepted> {
        match self {
            Self::Unix(socket) => socket.accept().await.map(Accepted::Unix),
            Self::Tcp(listener, address) => {
                let (stream, _) = listener.accept().await?;
                // Answers are written whole; there is nothing to wait for.
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream, *address))
            }
        }
    }
}

enum Accepted {
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream, SocketAddr),
}
