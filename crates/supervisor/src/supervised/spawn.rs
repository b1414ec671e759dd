//! Starting a shim and waiting for its record.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use dogwatch_core::redact::SecretSet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::client::{ControlClient, ControlError, Progress};
use super::shim_file::ShimFile;
use crate::control::{Greeting, Started};
use crate::identity::{IdentityError, ProcessIdentity};
use crate::record::{ExitRecord, RecordError, Rung};
use crate::role::SHIM_ARGUMENT;
use crate::secrets_pipe;
use crate::spec::{ShimSpec, SpecError};

/// The shim's own log, beside [`super::SHIM_FILE`].
const LOG_FILE: &str = "shim.log";

/// How much of the log goes into an error.
const LOG_SHOWN: usize = 4096;

/// The longest greeting.
const GREETING_LEN: u64 = 64 * 1024;

/// The program that becomes a shim, and what it is told to make it one.
#[derive(Clone, Debug)]
pub struct ShimProgram {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl ShimProgram {
    /// A dogwatch binary, called with `__shim`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self::with_arguments(program, [SHIM_ARGUMENT])
    }

    /// Any program whose main function ends up in [`crate::shim_main`].
    pub fn with_arguments<A: Into<OsString>>(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }
}

/// A shim that could not be started, or that ended without saying how.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The spec is not one a shim would accept.
    #[error("prepare the command")]
    Spec(#[from] SpecError),
    /// The shim's process could not be started. No command runs.
    #[error("start the shim {program}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The shim was started but refused, or ended before it was ready. No command ran.
    #[error("start the command: the shim refused: {message}")]
    Refused {
        /// The shim's reason, or what its log says.
        message: String,
    },
    /// The shim's process could not be identified. No command runs.
    #[error("identify the shim")]
    Identity(#[from] IdentityError),
    /// A file of the shim could not be written or a process not waited for.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The exit record is there but cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The shim ended without an exit record: it was killed, or could not write one. How the command ended is not known.
    #[error("learn how the command ended: the shim left no record ({status})")]
    NoRecord {
        /// How the shim ended.
        status: ExitStatus,
        /// The command's processes, as far as the shim told.
        started: Option<Box<Started>>,
        /// What is known about the tree.
        tree: TreeState,
        /// The end of the shim's log.
        log: String,
    },
}

/// What is known about the tree of a shim that left no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeState {
    /// No process of it is left.
    Gone,
    /// The main process is gone; others may have escaped, for there was no namespace to end them.
    MainGone,
    /// Nothing: the shim never told of any process.
    Unknown,
}

/// A running shim and its command.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    shim: ProcessIdentity,
    control: ControlClient,
    progress: watch::Receiver<Progress>,
    follower: Option<JoinHandle<()>>,
    exit_path: PathBuf,
    log_path: PathBuf,
}

impl Supervised {
    /// Starts a shim for this spec. `directory` receives `shim.json`, which is durable before the shim learns what to run, and `shim.log`.
    ///
    /// The secrets go through memory only, on the pipe that brings the spec, and never reach a disk: the shim takes them out of the
    /// command's output.
    ///
    /// The shim outlives this value and this process. If the future is dropped before it is done, the command may or may not run; the
    /// file says whom to ask.
    pub async fn spawn(
        program: &ShimProgram,
        spec: &ShimSpec,
        secrets: &SecretSet,
        directory: &Path,
    ) -> Result<Self, SupervisorError> {
        spec.validate()?;
        let json = serde_json::to_vec(spec)
            .map_err(io::Error::from)
            .map_err(failed("encode the shim's spec"))?;
        let log_path = directory.join(LOG_FILE);
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&log_path)
            .map_err(failed("create the shim's log"))?;
        let mut child = start(program, log).map_err(|source| SupervisorError::Start {
            program: program.program.clone(),
            source,
        })?;
        // An error from here to the spec drops the pipe, and a shim without a spec runs nothing.
        let pid = child.id().map(u32::cast_signed);
        let shim = ProcessIdentity::of_pid(pid.unwrap_or(-1))?;
        let file = ShimFile::new(
            shim.clone(),
            spec.control_path.clone(),
            spec.exit_path.clone(),
        );
        let owned = directory.to_owned();
        blocking(move || file.write(&owned))
            .await?
            .map_err(failed("write shim.json"))?;

        let mut stdin = child.stdin.take();
        if let Some(stdin) = &mut stdin {
            // A shim that ended early says why in its greeting, which is better than a broken pipe.
            let _ = stdin.write_all(&secrets_pipe::encode(&json, secrets)).await;
        }
        drop(stdin);
        read_greeting(&mut child, &log_path).await?;

        let control = ControlClient::new(spec.control_path.as_path());
        let (sender, progress) = watch::channel(Progress::default());
        let follower = tokio::spawn(control.clone().follow(sender));
        Ok(Self {
            child,
            shim,
            control,
            progress,
            follower: Some(follower),
            exit_path: spec.exit_path.as_path().to_owned(),
            log_path,
        })
    }

    /// The shim's process.
    pub const fn shim(&self) -> &ProcessIdentity {
        &self.shim
    }

    /// A client for the shim's control socket, for callers that do not hold this value.
    pub const fn control(&self) -> &ControlClient {
        &self.control
    }

    /// What the shim tells while the command runs.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// See [`ControlClient::stop`].
    pub async fn stop(&self, reason: &str) -> Result<(), ControlError> {
        self.control.stop(reason).await
    }

    /// See [`ControlClient::kill`].
    pub async fn kill(&self) -> Result<(), ControlError> {
        self.control.kill().await
    }

    /// See [`ControlClient::set_deadline`].
    pub async fn set_deadline(&self, boottime_ns: u64) -> Result<(), ControlError> {
        self.control.set_deadline(boottime_ns).await
    }

    /// Waits until the shim has ended and reads its record. Dropping the future loses nothing; it can be asked again.
    pub async fn wait(&mut self) -> Result<ExitRecord, SupervisorError> {
        let status = self
            .child
            .wait()
            .await
            .map_err(failed("wait for the shim"))?;
        if let Some(follower) = &mut self.follower {
            // The socket ends with the shim, so the last progress is in by now or never.
            let _ = follower.await;
            self.follower = None;
        }
        let path = self.exit_path.clone();
        if let Some(record) = blocking(move || ExitRecord::read(&path)).await?? {
            return Ok(record);
        }
        let started = self.progress.borrow().started.clone();
        let tree = match started.clone() {
            Some(started) => confirm_end(started).await?,
            None => TreeState::Unknown,
        };
        Err(SupervisorError::NoRecord {
            status,
            started: started.map(Box::new),
            tree,
            log: read_log(&self.log_path),
        })
    }
}

/// The shim gets nothing of our environment, which processes of the same user can read. Nothing runs between fork and exec, so the
/// standard library uses `posix_spawn` and never copies a large process.
fn start(program: &ShimProgram, log: std::fs::File) -> io::Result<Child> {
    let mut command = Command::new(&program.program);
    command
        .args(&program.arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0)
        .kill_on_drop(false);
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that starts processes"
    )]
    command.spawn()
}

async fn read_greeting(child: &mut Child, log_path: &Path) -> Result<(), SupervisorError> {
    let mut line = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        // The shim closes its standard output after the greeting.
        stdout
            .take(GREETING_LEN)
            .read_to_end(&mut line)
            .await
            .map_err(failed("read the shim's greeting"))?;
    }
    let message = match serde_json::from_slice(&line) {
        Ok(Greeting::Ready {}) => return Ok(()),
        Ok(Greeting::Refused { message }) => message,
        Err(_) => format!("it ended before it was ready: {}", read_log(log_path)),
    };
    child.wait().await.map_err(failed("wait for the shim"))?;
    Err(SupervisorError::Refused { message })
}

/// The shim is dead, and the kernel is ending the process whose end takes the tree with it: makes sure of it.
async fn confirm_end(started: Started) -> Result<TreeState, SupervisorError> {
    blocking(move || started.root.terminate(Duration::ZERO)).await??;
    Ok(match started.rung {
        Rung::PidNamespace => TreeState::Gone,
        Rung::Subreaper => TreeState::MainGone,
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SupervisorError> {
    spawn_blocking(work)
        .await
        .map_err(io::Error::other)
        .map_err(failed("finish work on a blocking thread"))
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> SupervisorError {
    move |source| SupervisorError::Io { what, source }
}

/// The end of the shim's log, for a message; that it cannot be read is part of the message.
fn read_log(path: &Path) -> String {
    match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOG_SHOWN)..])
            .trim()
            .to_owned(),
        Err(error) => format!("(its log cannot be read: {error})"),
    }
}
