//! Speaking with a running shim over its control socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::control::{Notice, OutputProgress, Request, Started};
use crate::os::socket::ShortPath;

/// How long a shim may take to answer. It answers at once unless the machine or the disk is stuck.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// What is known about a running command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its processes, once it has started.
    pub started: Option<Started>,
    /// Its output, once there is some.
    pub output: Option<OutputProgress>,
}

/// A request that did not reach the shim.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens: the shim has ended, or is about to.
    #[error("reach the shim on {path}: it is gone")]
    Gone {
        /// The control socket.
        path: PathBuf,
    },
    /// The socket could not be used.
    #[error("speak with the shim on {path}")]
    Io {
        /// The control socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The shim refused the request.
    #[error("ask the shim on {path}: {message}")]
    Refused {
        /// The control socket.
        path: PathBuf,
        /// The shim's reason.
        message: String,
    },
    /// The shim did not answer.
    #[error("hear from the shim on {path}: no answer within {limit:?}")]
    Unresponsive {
        /// The control socket.
        path: PathBuf,
        /// How long it was given.
        limit: Duration,
    },
}

/// Asks things of the shim behind a control socket. Each request is a connection of its own, so it also works for a shim that somebody
/// else started.
#[derive(Clone, Debug)]
pub struct ControlClient {
    path: PathBuf,
}

impl ControlClient {
    /// A client for the shim that listens, or listened, here.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The control socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the tree: it is asked first and killed after the grace. The first reason given stands.
    pub async fn stop(&self, reason: &str) -> Result<(), ControlError> {
        let reason = reason.to_owned();
        self.request(&Request::Stop { reason }).await
    }

    /// Kills the tree without grace.
    pub async fn kill(&self) -> Result<(), ControlError> {
        self.request(&Request::Kill {}).await
    }

    /// Moves the fencing deadline to an instant on CLOCK_BOOTTIME.
    pub async fn set_deadline(&self, boottime_ns: u64) -> Result<(), ControlError> {
        self.request(&Request::Deadline { boottime_ns }).await
    }

    /// Sends one request and waits until the shim has accepted it.
    pub async fn request(&self, request: &Request) -> Result<(), ControlError> {
        match timeout(ANSWER_LIMIT, self.exchange(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ControlError::Unresponsive {
                path: self.path.clone(),
                limit: ANSWER_LIMIT,
            }),
        }
    }

    async fn exchange(&self, request: &Request) -> Result<(), ControlError> {
        let failed = |source| self.failed(source);
        let mut line = serde_json::to_vec(request).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let mut stream = self.connect().await.map_err(failed)?;
        stream.write_all(&line).await.map_err(failed)?;
        let mut lines = BufReader::new(stream).lines();
        loop {
            match next_notice(&mut lines).await.map_err(failed)? {
                Some(Notice::Accepted {}) => return Ok(()),
                Some(Notice::Refused { message }) => {
                    return Err(ControlError::Refused {
                        path: self.path.clone(),
                        message,
                    });
                }
                Some(Notice::Started(_) | Notice::Progress(_)) => {}
                None => {
                    return Err(ControlError::Gone {
                        path: self.path.clone(),
                    });
                }
            }
        }
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        let short = ShortPath::of(&self.path)?;
        UnixStream::connect(short.path()).await
    }

    fn failed(&self, source: io::Error) -> ControlError {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => ControlError::Gone { path },
            _ => ControlError::Io { path, source },
        }
    }

    /// Publishes what the shim tells until it is gone. A shim that has ended already tells nothing; its record does.
    pub(super) async fn follow(self, progress: watch::Sender<Progress>) {
        if let Err(error) = self.try_follow(&progress).await {
            match self.failed(error) {
                ControlError::Gone { .. } => {}
                error => tracing::warn!(error = %error, "lost sight of a shim"),
            }
        }
    }

    async fn try_follow(&self, progress: &watch::Sender<Progress>) -> io::Result<()> {
        let mut lines = BufReader::new(self.connect().await?).lines();
        while let Some(notice) = next_notice(&mut lines).await? {
            progress.send_modify(|progress| match notice {
                Notice::Started(started) => progress.started = Some(started),
                Notice::Progress(output) => progress.output = Some(output),
                Notice::Accepted {} | Notice::Refused { .. } => {}
            });
        }
        Ok(())
    }
}

async fn next_notice(lines: &mut Lines<BufReader<UnixStream>>) -> io::Result<Option<Notice>> {
    match lines.next_line().await? {
        Some(line) => Ok(Some(serde_json::from_str(&line)?)),
        None => Ok(None),
    }
}
