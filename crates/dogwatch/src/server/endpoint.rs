//! Where the server of a data directory is, and what to present to it. The file is readable by its user alone, who is who it lets in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use dogwatch_core::{Sha256Digest, Timestamp};
use dogwatch_runner::DataLayout;
use dogwatch_supervisor::ProcessIdentity;
use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// The longest path a Unix socket can have on Linux, with its final NUL.
const SOCKET_PATH_BYTES: usize = 108;

/// `server/endpoint.json`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    /// The version of the file.
    pub(crate) schema_version: u32,
    /// The version of the server.
    pub(crate) version: String,
    /// Its process.
    pub(crate) boot_id: String,
    /// Its process id.
    pub(crate) pid: i32,
    /// Its start in clock ticks since boot, so that a recycled id is not mistaken for it.
    pub(crate) start_time: u64,
    /// When it was ready.
    pub(crate) since: Timestamp,
    /// Its socket.
    pub(crate) socket: PathBuf,
    /// Its URL, where it listens on TCP too.
    pub(crate) url: Option<String>,
    /// The token of the user of this data directory, good for as long as the process lives.
    pub(crate) token: String,
    /// Whether it goes when nothing is left to do.
    pub(crate) idle_exit: bool,
}

impl Endpoint {
    /// The file of a data directory, if there is one. It may be of a process that is no more.
    pub(crate) fn read(layout: &DataLayout) -> Result<Option<Self>, CliError> {
        let path = file(layout);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&path, &error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            CliError::new(
                "endpoint_unreadable",
                format!("{} cannot be understood: {error}", path.display()),
            )
            .next("stop the server of this data directory if one runs, then delete the file")
        })
    }

    /// The server of a data directory, if it lives.
    pub(crate) fn of_living(layout: &DataLayout) -> Result<Option<Self>, CliError> {
        let Some(endpoint) = Self::read(layout)? else {
            return Ok(None);
        };
        Ok(endpoint.is_alive()?.then_some(endpoint))
    }

    /// The process it names.
    pub(crate) fn process(&self) -> ProcessIdentity {
        ProcessIdentity {
            boot_id: self.boot_id.clone(),
            pid: self.pid,
            start_time: self.start_time,
        }
    }

    /// Whether that process lives.
    pub(crate) fn is_alive(&self) -> Result<bool, CliError> {
        self.process()
            .is_alive()
            .map_err(|error| CliError::from_error("process_unreadable", &error))
    }

    /// Makes it known, whole or not at all.
    pub(super) fn publish(&self, layout: &DataLayout) -> Result<(), CliError> {
        let path = file(layout);
        let failed = |error: io::Error| unusable(&path, &error);
        make_private(&directory(layout)).map_err(failed)?;
        let draft = path.with_extension("tmp");
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        let _ = fs::remove_file(&draft);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(directory(layout))?.sync_all())
            .map_err(failed)
    }

    /// Takes it back.
    pub(super) fn withdraw(layout: &DataLayout) {
        if let Err(error) = fs::remove_file(file(layout)) {
            tracing::warn!(%error, "the endpoint file was not removed");
        }
    }
}

fn directory(layout: &DataLayout) -> PathBuf {
    layout.root().join("server")
}

fn file(layout: &DataLayout) -> PathBuf {
    directory(layout).join("endpoint.json")
}

/// The server's own logs.
pub(crate) fn logs_directory(layout: &DataLayout) -> PathBuf {
    layout.root().join("logs")
}

/// The socket: in the data directory, or where its path is too long for one, in a private directory of the user's that is named after it.
pub(crate) fn socket_path(layout: &DataLayout) -> PathBuf {
    let inside = directory(layout).join("server.sock");
    if inside.as_os_str().len() < SOCKET_PATH_BYTES {
        return inside;
    }
    let digest = Sha256Digest::of(layout.root().as_os_str().as_bytes()).to_string();
    let name = format!(
        "dogwatch-{}-{}",
        nix::unistd::Uid::effective(),
        &digest[..16]
    );
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|directory| directory.is_absolute() && directory.as_os_str().len() < 48)
        .unwrap_or_else(|| PathBuf::from("/tmp"))
        .join(name)
        .join("server.sock")
}

/// The socket that running agents are shown; beside the server's own.
pub(super) fn agent_socket_path(layout: &DataLayout) -> PathBuf {
    socket_path(layout).with_file_name("agent.sock")
}

/// The same for a runner that works for a server somewhere else. Several of them may share a data directory, so it has the process in it.
pub(crate) fn runner_socket_path(layout: &DataLayout) -> PathBuf {
    socket_path(layout).with_file_name(format!("runner-{}.sock", std::process::id()))
}

pub(super) fn make_private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

fn unusable(path: &Path, error: &io::Error) -> CliError {
    CliError::new(
        "data_directory",
        format!("{} cannot be used: {error}", path.display()),
    )
    .next("mend its permissions, or set DOGWATCH_HOME to another directory")
}
